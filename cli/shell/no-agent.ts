import { FleetError } from '../../runtime/errors.ts';

/** The agent's directories are its own to make, with its user: without them a command on a server has nothing to say. */
export const noAgent = (appState: string): FleetError =>
  new FleetError({
    code: 'NO_AGENT',
    reason: `no agent of this app keeps its state here: there is no ${appState}`,
    hint: 'check --state and --app, or start the agent once: systemctl start gitfleet-agent, or: gitfleet agent run',
    next: 'stall',
  });
