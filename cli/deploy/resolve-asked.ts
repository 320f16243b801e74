import type { AgentView } from '../../fleet/fleet-view.ts';
import type { SharedState } from '../../fleet/shared-state.ts';
import { createRemote } from '../../git/host/remote.ts';
import { type Resolved, resolveTarget } from '../../publisher/resolve-target.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { audienceOf } from './signer.ts';

/** What `publish --again` found from the agents; `url` null: history has no record of that commit. */
export interface Again {
  readonly commitId: string;
  readonly relativePath: string;
  readonly url: string | null;
}

/** The target that `publish` and `plan` are about, from the words, the options and the current clone. */
export async function resolveAsked(
  state: SharedState,
  { publisher }: Settings,
  options: Readonly<Record<string, unknown>>,
  rev: string | undefined,
  agents: () => Promise<readonly AgentView[]>,
  again: Again | null = null,
): Promise<Resolved> {
  return await resolveTarget(remoteOfUser(), state, {
    rev: again?.commitId ?? rev ?? null,
    url: publisher.url ?? again?.url ?? (again && (state.config.target?.url ?? null)),
    relativePath: publisher.relativePath ?? again?.relativePath ?? null,
    check: options['check'] !== false,
    directory: process.cwd(),
    agents,
    audience: audienceOf({ publisher }),
  });
}

/** Git with the configuration and credentials of the user who runs this command. */
export const remoteOfUser = () =>
  createRemote({ clock: systemClock, log: createLog({ level: 'silent' }), env: process.env });
