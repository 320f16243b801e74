import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ownerOr } from '../../agent/disk/instance-lock.ts';
import { layoutOf } from '../../agent/disk/layout.ts';
import { readLocalStatus } from '../../agent/local/local-status.ts';
import { ownCredential } from '../../agent/state/own-credential.ts';
import { markLeft } from '../../fleet/leave.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { visible } from '../../runtime/safe-text.ts';
import { agentSettings } from '../../schemas/settings/settings.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { becomeAgentUser, noAgent } from '../shell/agent-user.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson } from '../shell/terminal.ts';

/** A machine that shuts down does not wait longer. */
const WAIT_MS = 10_000;

/**
 * `gitfleet agent leave`: this server goes away for good, so the fleet no longer expects its agent. For the end of a
 * machine, after its agent was stopped: a running one would only report again. An agent with the label `ephemeral` does
 * the same at each orderly stop.
 */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options);
  const agent = agentSettings(settings);
  await becomeAgentUser(agent.state);
  const layout = layoutOf(agent.root, agent.state, settings.app);
  const drawn = await stat(join(layout.state, 'zookeeper-credential')).catch(() => null);
  if (drawn === null) throw noAgent(layout.appState);
  if ((await readLocalStatus(layout, clock)).running) throw stopFirst(layout.state);
  const agentId = await ownerOr(agent.id, layout.root);
  const own = await ownCredential(layout.state, agentId);
  const left = await withSession(
    settings,
    (session) => markLeft(session, znodes(settings.app), agentId, own.key),
    WAIT_MS,
    [own],
  );
  const name = visible(agentId, 100);
  if (options['json']) sayJson({ agentId, left });
  else if (left) say(`${name} has left: nothing waits for it; it is back as soon as its agent runs again`);
  else say(`${name} never reported, so nothing waits for it`);
  return EXIT.converged;
}

const stopFirst = (state: string): FleetError =>
  FleetError.of('STATE_TAKEN', `an agent runs with ${state}`, 'stop it first: systemctl stop gitfleet-agent');
