import { quarantineCommit } from '../../fleet/hold-and-quarantine.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { quarantineLines } from '../../publisher/screens/brake-lines.ts';
import { newNonce } from '../../runtime/nonce.ts';
import type { QuarantineOutput } from '../../schemas/json-output.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { author } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { written } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, usage } from '../shell/terminal.ts';
import { timeToWrite } from './fleet-time.ts';
import { namedCommit } from './operands.ts';
import { showQuarantine } from './show-brakes.ts';

/**
 * `gitfleet quarantine COMMIT -m WHY`: publishers refuse the commit, and no agent activates it. Without arguments it
 * lists the commits in quarantine.
 */
export async function run(call: Call): Promise<number> {
  const { options, words } = call;
  const reason = options['message'] as string | undefined;
  const [commit] = words;
  if (commit === undefined && reason === undefined) return await showQuarantine(call);
  if (commit === undefined) throw usage('which commit?', 'such as: gitfleet quarantine d-12 -m "empties the cart"');
  if (!reason)
    throw usage('quarantine requires a reason (-m)', 'such as: gitfleet quarantine d-12 -m "empties the cart"');
  const settings = await readSettings(options);
  return await withSession(settings, async (session, access) => {
    const paths = znodes(settings.app);
    const [state, commitId, { now }] = await Promise.all([
      readSharedState(session, paths),
      namedCommit(session, paths, commit),
      timeToWrite(session, paths),
    ]);
    const parts = { session, znodes: paths, access, now, newNonce };
    const word = { by: author(process.env), reason };
    const { entry, changed } = await written('it may be in quarantine', () => quarantineCommit(parts, commitId, word));
    if (options['json']) sayJson({ quarantined: entry, changed } satisfies QuarantineOutput);
    else {
      const isWanted = state.config.target?.commitId === commitId;
      say(...quarantineLines(settings.app, entry, isWanted, changed));
    }
    return EXIT.converged;
  });
}
