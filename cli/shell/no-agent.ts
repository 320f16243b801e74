import { FleetError } from '../../runtime/errors.ts';

/** The agent's directories are its own to make, with its user: without them a command on a server has nothing to say. */
export const noAgent = (appState: string): FleetError =>
  FleetError.of('NO_AGENT', `no agent of this app keeps its state here: there is no ${appState}`);
