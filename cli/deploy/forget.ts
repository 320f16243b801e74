import { createFleetReader } from '../../fleet/fleet-view.ts';
import { type Forgotten, forgetAgent, forgettable } from '../../fleet/forget.ts';
import { forgettableLines, forgottenLines } from '../../publisher/screens/brake-lines.ts';
import { newNonce } from '../../runtime/nonce.ts';
import { parseDuration } from '../../schemas/duration.ts';
import type { ForgetOutput, ForgettableOutput } from '../../schemas/json-output.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { asOperator } from '../shell/access.ts';
import { wordOf } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, usage } from '../shell/terminal.ts';
import { type FleetTime, timeToShow, timeToWrite } from './fleet-time.ts';
import { agentUnknown } from './operands.ts';

/**
 * `gitfleet forget AGENT...`, or `gitfleet forget --older 1h` for all offline agents whose last report is at least that
 * old. `--list` only lists them and removes nothing.
 */
export async function run({ options, words }: Call): Promise<number> {
  const older = options['older'] === undefined ? null : parseDuration(String(options['older']));
  if (options['older'] !== undefined && older === null)
    throw usage('--older must be a duration of at most 24 days', 'such as 1h or 7d');
  const lists = options['list'] === true;
  if (lists && words.length > 0)
    throw usage('--list names no agent', 'gitfleet forget --list, or gitfleet forget web-3');
  if (!lists && (words.length === 0) === (older === null))
    throw usage('forget needs agents, or --older', 'gitfleet forget web-3, or gitfleet forget --older 1h');
  const settings = await readSettings(options);
  const json = options['json'] === true;
  return await withSession(settings, async (session, access) => {
    const paths = znodes(settings.app);
    if (lists) return await list(session, paths, older ?? 0, json);
    const time = timeToWrite(session, paths);
    const found = older === null ? null : await gone(session, paths, time, older);
    const ids = found?.map(({ agentId }) => agentId) ?? [...new Set(words)];
    if (ids.length === 0 && !json) say('no offline agent reported that long ago');
    const { now } = await asOperator('to forget an agent', time);
    const forget = (agentId: string) =>
      asOperator(
        'to forget an agent',
        forgetAgent({ session, znodes: paths, access, now, newNonce }, agentId, wordOf(options)),
      );
    await forgetEach(session, paths, ids, { forget, named: found === null, json });
    return EXIT.converged;
  });
}

/** An agent that was named must exist. One that cannot be forgotten does not keep the others from it. */
async function forgetEach(
  session: Session,
  paths: Znodes,
  ids: readonly string[],
  how: {
    readonly forget: (agentId: string) => Promise<Forgotten | null>;
    readonly named: boolean;
    readonly json: boolean;
  },
) {
  const failures: unknown[] = [];
  for (const agentId of ids) {
    try {
      const forgotten = await how.forget(agentId);
      if (forgotten === null && how.named) throw await agentUnknown(session, paths, agentId);
      if (how.json) sayJson({ agentId, forgotten: forgotten !== null } satisfies ForgetOutput);
      else if (forgotten) say(...forgottenLines(agentId, forgotten));
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** By the clock of the ensemble, which determines the age of a report. */
async function gone(session: Session, paths: Znodes, time: Promise<FleetTime>, olderMs: number) {
  const [{ agents, left }, { now }] = await Promise.all([createFleetReader(session, paths)(), time]);
  return forgettable([...agents, ...left], now(), olderMs);
}

async function list(session: Session, paths: Znodes, olderMs: number, json: boolean): Promise<number> {
  const time = timeToShow(session, paths);
  const views = await gone(session, paths, time, olderMs);
  if (json)
    for (const { agentId, reportedAt, report, falsePresence } of views) {
      const left = report?.left === true;
      sayJson({ agentId, reportedAt, left, falsePresence: falsePresence === true } satisfies ForgettableOutput);
    }
  else say(...forgettableLines(views, (await time).now()));
  return EXIT.converged;
}
