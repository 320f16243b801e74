import { firstParentsOf } from '../../git/host/first-parents.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import type { ServeSettings } from '../../schemas/settings/serve-settings.ts';
import type { Installation } from '../../schemas/settings/serve-webhooks-settings.ts';
import { openForge, sendToForge } from '../../serve/forges/open-forge.ts';
import type { LookParts } from '../../serve/webhooks/look.ts';
import { MOST_COMMITS, newestGreen } from '../../serve/webhooks/newest-green.ts';
import { remoteOfUser } from '../deploy/resolve-asked.ts';
import { forgeAccountsOf } from './forge-accounts.ts';

/**
 * Reads what an installation is to show: the tip of its branch, or the newest commit whose checks passed. Asks the
 * origin once, and again for the commits below the tip only if there is something new whose checks are to be read.
 * @throws FleetError SETTINGS if checks are needed, and the settings name no forge to read them from.
 */
export function tipReader(
  serve: Pick<ServeSettings, 'forges'>,
  { name, url, branch, when, checks }: Installation,
  signal: AbortSignal,
): LookParts['readTip'] {
  const remote = remoteOfUser();
  const readBranch = () => remote.resolveRef(url, `refs/heads/${branch}`, signal);
  if (when === 'pushed') return readBranch;
  const forge = openForge(url, forgeAccountsOf(serve), sendToForge(clock));
  if (forge === null) throw noForge(name);
  return async ({ seen, config }) => {
    const tip = await readBranch();
    if (tip === seen) return tip;
    return await newestGreen({
      commits: await firstParentsOf({ url, tip, most: MOST_COMMITS, clock, env: process.env }),
      names: checks,
      seen,
      shown: config.target?.commitId ?? null,
      isPublished: config.target !== null || config.refused !== null,
      readChecks: (commitId) => forge.readChecks(commitId, signal),
    });
  };
}

const noForge = (name: string) =>
  FleetError.of(
    'SETTINGS',
    `serve.webhooks: ${name} waits for checks, and serve.forges names no forge for its url`,
    'add the forge and a token that may read checks to serve.forges: docs/forges.md',
  );
