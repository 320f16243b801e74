import { readFleet } from '../../fleet/fleet-view.ts';
import { forgetAgent, forgettable } from '../../fleet/forget.ts';
import { forgottenLines } from '../../publisher/screens/brake-lines.ts';
import { parseDuration } from '../../schemas/duration.ts';
import type { ForgetOutput } from '../../schemas/json-output.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { asOperator } from '../shell/access.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, usage } from '../shell/terminal.ts';
import { timeToWrite } from './fleet-time.ts';
import { agentUnknown } from './operands.ts';

/** `gitfleet forget AGENT`, or `gitfleet forget --older 1h` for all offline agents whose last report is that old. */
export async function run({ options, words }: Call): Promise<number> {
  const agentId = words[0];
  const older = options['older'] === undefined ? null : parseDuration(String(options['older']));
  if (options['older'] !== undefined && older === null)
    throw usage('--older must be a duration of at most 24 days', 'such as 1h or 7d');
  if ((agentId === undefined) === (older === null))
    throw usage('forget needs an agent, or --older', 'gitfleet forget web-3, or gitfleet forget --older 1h');
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    const ids = agentId === undefined ? await allOlder(session, paths, older ?? 0) : [agentId];
    for (const id of ids) {
      const forgotten = await asOperator('to forget an agent', forgetAgent(session, paths, id));
      if (!forgotten && agentId !== undefined) throw await agentUnknown(session, paths, id);
      if (options['json']) sayJson({ agentId: id, forgotten } satisfies ForgetOutput);
      else if (forgotten) say(...forgottenLines(id));
    }
    if (ids.length === 0 && !options['json']) say('no offline agent reported that long ago');
    return EXIT.converged;
  });
}

async function allOlder(session: Session, paths: Znodes, olderMs: number): Promise<string[]> {
  const [fleet, { now }] = await Promise.all([readFleet(session, paths), timeToWrite(session, paths)]);
  return forgettable(fleet, now(), olderMs);
}
