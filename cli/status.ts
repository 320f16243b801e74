import { readFleet } from '../fleet/fleet-view.ts';
import { readSharedState } from '../fleet/shared-state.ts';
import { statusLines } from '../publisher/screens.ts';
import { systemClock } from '../runtime/clock.ts';
import { znodes } from '../schemas/znodes.ts';
import { EXIT } from './exit-codes.ts';
import type { Call } from './program.ts';
import { readSettings } from './read-settings.ts';
import { say } from './terminal.ts';
import { withSession } from './with-session.ts';

/** `gitfleet status`: exits 0 when it could be read, whatever it shows. */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    const [state, fleet] = await Promise.all([readSharedState(session, paths), readFleet(session, paths)]);
    if (options['json']) {
      const { config, lastRecord } = state;
      const deployment = lastRecord && { ...lastRecord, czxid: String(lastRecord.czxid) };
      say(JSON.stringify({ app: settings.app, targetVersion: config.targetVersion, deployment, agents: fleet }));
    } else say(...statusLines(settings.app, state, fleet, systemClock.now()));
    return EXIT.converged;
  });
}
