import { readFleet } from '../../fleet/fleet-view.ts';
import { readPolicy } from '../../fleet/policy.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { planPublish } from '../../publisher/plan.ts';
import { planLines, planOutputOf, publishWords } from '../../publisher/screens/plan-screen.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, screenNow } from '../shell/terminal.ts';
import { timeToShow } from './fleet-time.ts';
import { resolveAsked } from './resolve-asked.ts';

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
    const now = time.now();
    const policy = resolved.target.gitfleet?.policy ?? value;
    const plan = planPublish(settings.app, state, fleet, resolved, { force: options['force'] === true, now, policy });
    if (options['json']) sayJson(planOutputOf(plan));
    else say(...planLines(plan, publishWords({ options, rev: words[0] }), screenNow(now)));
    return options['exitCode'] === true && plan.changes ? EXIT.changes : EXIT.converged;
  });
}
