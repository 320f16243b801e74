import { unhold } from '../../fleet/hold-and-quarantine.ts';
import { unholdLines } from '../../publisher/screens/brake-lines.ts';
import { newNonce } from '../../runtime/nonce.ts';
import type { HoldOutput } from '../../schemas/json-output.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { asOperator } from '../shell/access.ts';
import { wordOf } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { written } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson } from '../shell/terminal.ts';
import { timeToWrite } from './fleet-time.ts';

/** `gitfleet unhold`: allows publishing again, even if another person set the hold. */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options);
  return await withSession(settings, async (session, access) => {
    const paths = znodes(settings.app);
    const { now } = await asOperator('to end a hold', timeToWrite(session, paths));
    const parts = { session, znodes: paths, access, now, newNonce };
    const word = wordOf(options);
    const ended = await asOperator(
      'to end a hold',
      written('the hold may be ended', () => unhold(parts, word)),
    );
    const held = ended === 'unreadable' ? null : ended;
    if (options['json']) sayJson({ hold: held, changed: ended !== null } satisfies HoldOutput);
    else say(...unholdLines(settings.app, ended));
    return EXIT.converged;
  });
}
