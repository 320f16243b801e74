import { dropOverride, readOverride } from '../agent/override.ts';
import { placesOf } from '../agent/place.ts';
import { agentSettings } from '../schemas/settings.ts';
import { EXIT } from './exit-codes.ts';
import type { Call } from './program.ts';
import { readSettings } from './read-settings.ts';
import { say } from './terminal.ts';

/** `gitfleet agent resume`: takes a local rollback back; the running agent goes to the fleet's target at once. */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options, { zookeeper: false });
  const agent = agentSettings(settings);
  const places = placesOf(agent.root, agent.state, settings.app);
  const override = await readOverride(places.appState);
  if (override) await dropOverride(places.appState);
  say(override ? `no longer kept on ${override.commitId}: the agent follows the fleet again` : 'nothing to resume');
  return EXIT.converged;
}
