import { setHold } from '../../fleet/hold-and-quarantine.ts';
import { holdLines } from '../../publisher/screens/brake-lines.ts';
import { newNonce } from '../../runtime/nonce.ts';
import { parseDuration } from '../../schemas/duration.ts';
import type { HoldOutput } from '../../schemas/json-output.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { asOperator } from '../shell/access.ts';
import { author } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { written } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, usage } from '../shell/terminal.ts';
import { timeToWrite } from './fleet-time.ts';
import { showHold } from './show-brakes.ts';

/**
 * `gitfleet hold -m WHY [--for 2h]`: publishing is refused until the hold ends, or until gitfleet unhold. Without
 * arguments it shows the hold in force.
 */
export async function run(call: Call): Promise<number> {
  const { options } = call;
  const reason = options['message'] as string | undefined;
  if (reason === undefined && options['for'] === undefined) return await showHold(call);
  if (!reason) throw usage('hold requires a reason (-m)', 'such as: gitfleet hold -m "inventory" --for 2h');
  const forMs = options['for'] === undefined ? null : parseDuration(String(options['for']));
  if (options['for'] !== undefined && !forMs)
    throw usage('--for must be a duration of at most 24 days', 'such as 2h or 30m');
  const settings = await readSettings(options);
  return await withSession(settings, async (session, access) => {
    const paths = znodes(settings.app);
    const now = (await asOperator('a hold', timeToWrite(session, paths))).now();
    // Without --for, a person's own hold keeps its end: only the reason changes.
    const wanted = { by: author(process.env), reason, end: forMs === null ? 'as it is' : now + forMs } as const;
    const parts = { session, znodes: paths, access, now: () => now, newNonce };
    const held = await asOperator(
      'a hold',
      written('the hold may be set', () => setHold(parts, wanted)),
    );
    if (options['json']) sayJson(held satisfies HoldOutput);
    else say(...holdLines(settings.app, held.hold));
    return EXIT.converged;
  });
}
