import { quarantinedIn } from '../../fleet/admission.ts';
import { type AgentView, readFleet } from '../../fleet/fleet-view.ts';
import { readPolicy } from '../../fleet/policy.ts';
import { foreignRecord, isUnrecorded } from '../../fleet/record-deployment.ts';
import { readSharedState, type SharedState } from '../../fleet/shared-state.ts';
import { createAncestry } from '../../publisher/ancestry.ts';
import { findBringsBack } from '../../publisher/brings-back.ts';
import { readChange } from '../../publisher/change.ts';
import { type PublishPlan, planPublish } from '../../publisher/plan.ts';
import { findRollback, type NamedDeployment } from '../../publisher/rollback.ts';
import { planLines, planOutputOf, publishWords, rollbackWords } from '../../publisher/screens/plan-screen.ts';
import type { Policy } from '../../schemas/policy.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { targetOf } from '../../schemas/target.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, screenNow, usage } from '../shell/terminal.ts';
import { timeToShow } from './fleet-time.ts';
import { namedDeploymentOrCommit } from './operands.ts';
import { remoteOfUser, resolveAsked } from './resolve-asked.ts';

/** `gitfleet plan [REV]`: what publish would do, found in the same way, without writing anything. */
export async function run({ options, words }: Call): Promise<number> {
  const wanted = options['rollback'] === undefined ? null : rollbackAsked(options, words);
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    const [state, fleet, { value }, time] = await Promise.all([
      readSharedState(session, paths),
      readFleet(session, paths),
      readPolicy(session, paths),
      timeToShow(session, paths),
    ]);
    const view: View = { session, paths, app: settings.app, state, fleet, policy: value, now: time.now() };
    const { plan, next } = wanted
      ? await planRollback(view, wanted.named, options)
      : await planOfPublish(view, settings, options, words[0]);
    if (options['json']) sayJson(planOutputOf(plan));
    else say(...planLines(plan, next, screenNow(view.now)));
    return options['exitCode'] === true && plan.changes ? EXIT.changes : EXIT.converged;
  });
}

/** What was read from the fleet. */
interface View {
  readonly session: Session;
  readonly paths: Znodes;
  readonly app: string;
  readonly state: SharedState;
  readonly fleet: readonly AgentView[];
  readonly policy: Policy | null;
  readonly now: number;
}

interface Planned {
  readonly plan: PublishPlan;
  /** The command that does it. */
  readonly next: string;
}

type Options = Call['options'];

async function planOfPublish(view: View, settings: Settings, options: Options, rev?: string): Promise<Planned> {
  const { session, paths, state, fleet, now } = view;
  const resolved = await resolveAsked(state, settings, options, rev, async () => fleet);
  const { commitId } = resolved.target;
  const graph = remoteOfUser().graph(process.cwd());
  const ancestry = createAncestry(graph, commitId);
  const [contained, bringsBack] = await Promise.all([
    ancestry.contains(state.quarantine.value.map((each) => each.commitId)),
    findBringsBack({ session, znodes: paths }, graph, state.config.target?.commitId ?? null, commitId),
  ]);
  const policy = resolved.target.gitfleet?.policy ?? view.policy;
  const force = options['force'] === true;
  const facts = { force, now, policy, contained, unknown: ancestry.unknown, bringsBack };
  return { plan: planPublish(view.app, state, fleet, resolved, facts), next: publishWords({ options, rev }) };
}

/** What `gitfleet rollback` would choose. The repository is not asked, as in that verb. */
async function planRollback(view: View, named: NamedDeployment | null, options: Options): Promise<Planned> {
  const { session, paths, state, fleet, policy, now } = view;
  const foreign = isUnrecorded(state) ? foreignRecord(state, { nonce: '', at: now }) : null;
  const to = await findRollback(session, paths, named, quarantinedIn(state.quarantine), foreign);
  const target = targetOf(to.target);
  const from = state.config.target?.commitId ?? null;
  const change = await readChange(remoteOfUser().graph(process.cwd()), from, target.commitId);
  const resolved = { target, title: '', warnings: [], refusal: null, change };
  const returnsTo = to.returnsTo ?? to.number;
  const facts = { force: false, now, policy: target.gitfleet?.policy ?? policy, returnsTo };
  const plan = planPublish(view.app, state, fleet, resolved, facts);
  return { plan, next: rollbackWords(options, to.number) };
}

/** `--rollback`, or `--rollback d-12`, in place of a revision. */
function rollbackAsked(options: Options, words: readonly string[]): { named: NamedDeployment | null } {
  const misplaced = ['url', 'relativePath', 'force'].find((name) => options[name] !== undefined);
  if (words.length > 0 || misplaced !== undefined || options['check'] === false) {
    throw usage('--rollback takes no revision and no option of publish', 'gitfleet plan --rollback d-12');
  }
  const { rollback } = options;
  return { named: namedDeploymentOrCommit(rollback === true ? undefined : String(rollback)) };
}
