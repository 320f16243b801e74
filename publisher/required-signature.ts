import type { AgentView } from '../fleet/fleet-view.ts';
import { FleetError } from '../runtime/errors.ts';
import { type Deployment, deploymentName } from '../schemas/deployment.ts';
import type { UrlVerdict } from './allowed-urls.ts';

/**
 * Pure: whether the agents that are online will take what this publisher signs, or does not sign, by what their presences
 * say. It is said before anything is written: agents that refuse a target stop its rollout.
 * @param audience whom this publisher signs for; null: it has no key.
 */
export function judgeSignature(fleet: readonly AgentView[], audience: string | null): UrlVerdict {
  const online = fleet.filter(({ presence }) => presence !== null);
  const asked = online.filter(({ presence }) => presence?.audience != null);
  const refusing = asked.filter(({ presence }) => presence?.audience !== audience);
  if (refusing.length === 0) return { warning: null, refusal: null };
  const all = `${refusing.length} of ${online.length} agents require a signature`;
  const whom = [...new Set(refusing.map(({ presence }) => presence?.audience))].join(', ');
  const said =
    audience === null ? `${all}, and no key is given here` : `${all} for ${whom}, and yours is for ${audience}`;
  if (refusing.length < online.length) return { warning: `${said}: they will refuse this target`, refusal: null };
  const code = audience === null ? 'SIGNATURE_MISSING' : 'AUDIENCE';
  const hint = `sign it: --sign-key FILE --audience ${whom}; or publish with --no-check`;
  return { warning: null, refusal: FleetError.of(code, said, hint) };
}

/** What to say of going back without a key, where agents require a signature; null: none does. Pure. */
export function keptSignatureWords(fleet: readonly AgentView[], { number, target }: Deployment): string | null {
  const online = fleet.filter(({ presence }) => presence !== null);
  const asked = online.filter(({ presence }) => presence?.audience != null);
  if (asked.length === 0) return null;
  const many = `${asked.length} of ${online.length} agents require a signature`;
  const again = 'gitfleet rollback --sign-key FILE --audience NAME signs it again';
  if (target.signed === undefined) return `warning: ${many}, and ${deploymentName(number)} has none: ${again}`;
  return `note: ${many}; that of ${deploymentName(number)} counts where it is the last good one; ${again}`;
}
