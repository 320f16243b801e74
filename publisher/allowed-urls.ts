import type { AgentView } from '../fleet/fleet-view.ts';
import { FleetError } from '../runtime/errors.ts';
import { visible } from '../runtime/safe-text.ts';
import { checkAllowed } from '../schemas/url.ts';
import type { RepositoryUrl } from '../schemas/values.ts';

/** The objections to publishing a url, before anything is written. */
export interface UrlVerdict {
  readonly warning: string | null;
  readonly refusal: FleetError | null;
}

/**
 * Pure: whether the online agents would fetch from `url`, by the prefixes that their presences name. In the end each
 * agent decides for itself; this only prevents a target that no agent accepts. An agent that names no prefixes counts
 * as accepting.
 */
export function judgeUrl(fleet: readonly AgentView[], url: RepositoryUrl): UrlVerdict {
  const online = fleet.filter(({ presence }) => presence !== null);
  const refusing = online.filter(({ presence }) => {
    const allow = presence?.allowUrls ?? null;
    return allow !== null && !checkAllowed(url, { allow }).ok;
  });
  if (refusing.length === 0) return { warning: null, refusal: null };
  const names = refusing.map(({ agentId }) => agentId);
  const shown = `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
  if (refusing.length < online.length) {
    return { warning: `${visible(url)} is not allowed on ${shown}: these agents will refuse it`, refusal: null };
  }
  const reason = `url: ${visible(url)} is below no prefix that an online agent allows (${shown})`;
  const hint = 'add its prefix to agent.allowUrls on the servers, or give the url that they fetch from: --url URL';
  return { warning: null, refusal: FleetError.of('NOT_ALLOWED', reason, `${hint}; or publish with --no-check`) };
}
