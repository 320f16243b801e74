import { layoutOf } from '../../agent/disk/layout.ts';
import { dropOverride, readOverride } from '../../agent/state/override.ts';
import { dropSuspension, readSuspension } from '../../agent/state/suspension.ts';
import { visible } from '../../runtime/safe-text.ts';
import { agentSettings } from '../../schemas/settings/settings.ts';
import type { Call } from '../command-table.ts';
import { becomeAgentUser } from '../shell/agent-user.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson } from '../shell/terminal.ts';

/**
 * `gitfleet agent resume`: ends a suspension and a local rollback. A running agent goes to the target of the fleet at
 * once.
 */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options, { zookeeper: false });
  const agent = agentSettings(settings);
  await becomeAgentUser(agent.state);
  const { appState } = layoutOf(agent.root, agent.state, settings.app);
  const [override, suspension] = await Promise.all([readOverride(appState), readSuspension(appState)]);
  // The override first: otherwise the target that it blocks could activate in between.
  if (override) await dropOverride(appState);
  if (suspension) await dropSuspension(appState);
  const ended = [
    ...(suspension ? [`no longer suspended by ${visible(suspension.by, 100)}`] : []),
    ...(override ? [`the override ends: no longer kept on ${override.commitId}`] : []),
  ];
  if (options['json']) sayJson({ override, suspension });
  else say(ended.length > 0 ? `${ended.join(', ')}: the agent follows the fleet again` : 'nothing to resume');
  return EXIT.converged;
}
