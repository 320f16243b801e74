import { ownerOr } from '../../agent/disk/instance-lock.ts';
import { layoutOf } from '../../agent/disk/layout.ts';
import { readLocalStatus } from '../../agent/local/local-status.ts';
import { writeSuspension } from '../../agent/state/suspension.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { agentSettings } from '../../schemas/settings/settings.ts';
import type { Call } from '../command-table.ts';
import { becomeAgentUser, noAgent } from '../shell/agent-user.ts';
import { author } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson } from '../shell/terminal.ts';

/**
 * `gitfleet agent suspend -m WHY`: takes this server out of every rollout until `agent resume`, even across restarts.
 * It keeps what it shows; a swap that has happened is still activated. Needs no ZooKeeper: a running agent reports it.
 */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options, { zookeeper: false });
  const agent = agentSettings(settings);
  await becomeAgentUser(agent.state);
  const layout = layoutOf(agent.root, agent.state, settings.app);
  const suspension = { by: author(process.env), reason: String(options['message'] ?? ''), at: clock.now() };
  await writeSuspension(layout.appState, suspension).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? noAgent(layout.appState) : error;
  });
  const { running, links } = await readLocalStatus(layout, clock);
  const agentId = await ownerOr(agent.id, layout.root);
  if (options['json']) sayJson({ agentId, ...suspension, running });
  else {
    const shown = links.flatMap(({ link, commitId }) =>
      commitId === null ? [] : [`${link} keeps showing ${commitId}`],
    );
    say(`${agentId} is suspended: no rollout changes this server until it is resumed`, ...shown);
    if (running === false) say('no agent is running here: the suspension holds when one starts');
    say('next: gitfleet agent resume to follow the fleet again');
  }
  return EXIT.converged;
}
