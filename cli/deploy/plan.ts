import { readFleet } from '../../fleet/fleet-view.ts';
import { readPolicy } from '../../fleet/policy.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { createAncestry } from '../../publisher/ancestry.ts';
import { findBringsBack } from '../../publisher/brings-back.ts';
import { planPublish } from '../../publisher/plan.ts';
import { planLines, planOutputOf, publishWords } from '../../publisher/screens/plan-screen.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, screenNow } from '../shell/terminal.ts';
import { timeToShow } from './fleet-time.ts';
import { remoteOfUser, resolveAsked } from './resolve-asked.ts';

/** `gitfleet plan [REV]`: what publish would do, found out the same way, and nothing written. */
export async function run({ options, words }: Call): Promise<number> {
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    const [state, fleet, { value }, time] = await Promise.all([
      readSharedState(session, paths),
      readFleet(session, paths),
      readPolicy(session, paths),
      timeToShow(session, paths),
    ]);
    const resolved = await resolveAsked(state, settings, options, words[0], async () => fleet);
    const { commitId } = resolved.target;
    const graph = remoteOfUser().graph(process.cwd());
    const ancestry = createAncestry(graph, commitId);
    const [contained, bringsBack] = await Promise.all([
      ancestry.contains(state.quarantine.value.map((each) => each.commitId)),
      findBringsBack({ session, znodes: paths }, graph, state.config.target?.commitId ?? null, commitId),
    ]);
    const now = time.now();
    const policy = resolved.target.gitfleet?.policy ?? value;
    const force = options['force'] === true;
    const facts = { force, now, policy, contained, unknown: ancestry.unknown, bringsBack };
    const plan = planPublish(settings.app, state, fleet, resolved, facts);
    if (options['json']) sayJson(planOutputOf(plan));
    else say(...planLines(plan, publishWords({ options, rev: words[0] }), screenNow(now)));
    return options['exitCode'] === true && plan.changes ? EXIT.changes : EXIT.converged;
  });
}
