import { unquarantine } from '../fleet/brakes.ts';
import { unquarantineLines } from '../publisher/brake-lines.ts';
import { systemClock } from '../runtime/clock.ts';
import type { QuarantineOutput } from '../schemas/output.ts';
import { znodes } from '../schemas/znodes.ts';
import { EXIT } from './exit-codes.ts';
import { written } from './interrupt.ts';
import { namedCommit } from './named-commit.ts';
import type { Call } from './program.ts';
import { readSettings } from './read-settings.ts';
import { say } from './terminal.ts';
import { withSession } from './with-session.ts';

/** `gitfleet unquarantine COMMIT`. */
export async function run({ options, words }: Call): Promise<number> {
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    const commitId = await namedCommit(session, paths, String(words[0]));
    const parts = { session, znodes: paths, now: () => systemClock.now() };
    const entry = await written('it may be lifted', () => unquarantine(parts, commitId));
    if (options['json'])
      say(JSON.stringify({ quarantined: entry, changed: entry !== null } satisfies QuarantineOutput));
    else say(...unquarantineLines(settings.app, commitId, entry));
    return EXIT.converged;
  });
}
