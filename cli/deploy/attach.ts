import { type Recorded, readDeployment, readRecorded } from '../../fleet/history.ts';
import { isPublished, readSharedState, type SharedState } from '../../fleet/shared-state.ts';
import { deploymentUnknown } from '../../publisher/rollback.ts';
import { pastLines } from '../../publisher/screens/history-screen.ts';
import { attachedLines } from '../../publisher/screens/published-lines.ts';
import { endingOfPast, stateAfter } from '../../publisher/verdict.ts';
import { FleetError } from '../../runtime/errors.ts';
import type { Deployment } from '../../schemas/deployment.ts';
import type { AttachedOutput, EndingOutput } from '../../schemas/json-output.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { author } from '../shell/author.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson } from '../shell/terminal.ts';
import { timeToShow } from './fleet-time.ts';
import { EXIT_OF, followOptions, followPublished } from './follow-published.ts';
import { namedDeployment } from './operands.ts';

/**
 * `gitfleet attach [d-N]`: follows a deployment again, from what the fleet shows now, with the exit codes of publish. A
 * deployment that config no longer has is over: its record says how it ended.
 */
export async function run({ options, words }: Call): Promise<number> {
  const wanted = namedDeployment(words[0]);
  const settings = await readSettings(options);
  const following = followOptions(options, settings, author(process.env));
  return await withSession(settings, async (session, access) => {
    const paths = znodes(settings.app);
    const [state, time] = await Promise.all([readSharedState(session, paths), timeToShow(session, paths)]);
    const { record, targetVersion } = await findRecorded(session, paths, state, wanted);
    const sayFirst = (lines: string[]) => {
      if (following.json) sayJson({ attached: record, targetVersion } satisfies AttachedOutput);
      else say(...lines);
    };
    if (targetVersion !== state.config.targetVersion) {
      const ending = endingOfPast(record);
      sayFirst(pastLines(record, time.now()));
      const past: EndingOutput = pastOutput(record, ending);
      if (following.json) sayJson(past);
      return EXIT_OF[ending];
    }
    const previous = record.previous === null ? null : await readDeployment(session, paths, record.previous);
    const first = () => sayFirst(attachedLines({ record, targetVersion, previous }, time.now()));
    const parts = { session, znodes: paths, access };
    const followed = { record, targetVersion, previous, again: true };
    return await followPublished(parts, followed, { ...following, time }, first);
  });
}

function pastOutput({ outcome }: Deployment, ending: EndingOutput['ending']): EndingOutput {
  const { reached = 0, expected = 0, missing = [] } = outcome ?? {};
  const offline = missing.filter(({ code }) => code === 'offline').map(({ agentId }) => agentId);
  const failed = missing.filter(({ code }) => code !== 'offline');
  return {
    ending,
    state: stateAfter(ending, 'running'),
    reached,
    expected,
    elapsedMs: 0,
    offline,
    late: [],
    excused: [],
    failed,
  };
}

async function findRecorded(
  session: Session,
  paths: Znodes,
  state: SharedState,
  wanted: number | null,
): Promise<Recorded> {
  const number = wanted ?? state.current?.number;
  if (number === undefined) throw nothingToAttach(state);
  const found = await readRecorded(session, paths, number);
  if (!found) throw deploymentUnknown(number);
  return found;
}

const nothingToAttach = (state: SharedState): FleetError =>
  FleetError.of(
    'NOTHING_PUBLISHED',
    !isPublished(state.config)
      ? 'nothing is published yet'
      : 'what config holds was set by another ZooKeeper client and has no deployment yet',
    'gitfleet status shows where each agent stands',
  );
