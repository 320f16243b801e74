import { unquarantine } from '../../fleet/hold-and-quarantine.ts';
import { unquarantineLines } from '../../publisher/screens/brake-lines.ts';
import { newNonce } from '../../runtime/nonce.ts';
import type { QuarantineOutput } from '../../schemas/json-output.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { wordOf } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { written } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson } from '../shell/terminal.ts';
import { timeToWrite } from './fleet-time.ts';
import { namedCommit } from './operands.ts';

/** `gitfleet unquarantine COMMIT`. */
export async function run({ options, words }: Call): Promise<number> {
  const settings = await readSettings(options);
  return await withSession(settings, async (session, access) => {
    const paths = znodes(settings.app);
    const [commitId, { now }] = await Promise.all([
      namedCommit(session, paths, String(words[0])),
      timeToWrite(session, paths),
    ]);
    const parts = { session, znodes: paths, access, now, newNonce };
    const word = wordOf(options);
    const entry = await written('it may be lifted', () => unquarantine(parts, commitId, word));
    if (options['json']) sayJson({ quarantined: entry, changed: entry !== null } satisfies QuarantineOutput);
    else say(...unquarantineLines(settings.app, commitId, entry));
    return EXIT.converged;
  });
}
