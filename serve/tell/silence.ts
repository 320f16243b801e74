import type { ToldEvent } from './event.ts';
import { OLDEST_MS } from './events.ts';
import type { ToldView } from './view.ts';

/** What one process knows of the agents that are offline. ZooKeeper does not keep when a presence ended. */
export interface Silence {
  /** When this process first saw them offline, and which presence of theirs it had seen before; null: none. */
  readonly offline: ReadonlyMap<string, { readonly since: number; readonly before: number | null }>;
  /** The presence of each agent that is online: when it began. */
  readonly online: ReadonlyMap<string, number>;
}

export const NO_SILENCE: Silence = { offline: new Map(), online: new Map() };

/** Pure: what is known after `view` was seen at `now`. An agent that left for good is in no view. */
export function followSilence(before: Silence, { agents }: ToldView, now: number): Silence {
  const offline = new Map<string, { since: number; before: number | null }>();
  const online = new Map<string, number>();
  for (const [agentId, { onlineSince, reportedAt }] of agents) {
    if (onlineSince !== null) online.set(agentId, onlineSince);
    else {
      const seen = before.online.get(agentId) ?? null;
      // One that was offline before this process began, and for long, is no news.
      const isNews = seen !== null || (reportedAt !== null && now - reportedAt <= OLDEST_MS);
      const known = before.offline.get(agentId);
      if (known !== undefined || isNews) offline.set(agentId, known ?? { since: now, before: seen });
    }
  }
  return { offline, online };
}

/** A fleet that is cut off as a whole is told by as many names: what was told has to fit into one znode. */
const MOST_SILENT = 2_000;

/** The start of the keys of all that is told about the silence of one agent. */
export const silentKeys = (app: string, agentId: string): string => `${app} agent ${agentId} silent `;

/**
 * The agents that have been offline for `afterMs`, one event each, oldest first. The key names the presence that ended,
 * which every process saw; one that did not see it names `unseen`, which a told silence of that agent covers.
 */
export function silentEvents(app: string, { offline }: Silence, afterMs: number, now: number): ToldEvent[] {
  return [...offline]
    .map(([agentId, { since, before }]) => ({ agentId, at: since + afterMs, before: before ?? 'unseen' }))
    .filter(({ at }) => at <= now && at >= now - OLDEST_MS)
    .sort((a, b) => a.at - b.at || (a.agentId < b.agentId ? -1 : 1))
    .slice(0, MOST_SILENT)
    .map(({ agentId, at, before }) => ({
      key: `${silentKeys(app, agentId)}${before}`,
      what: 'agents-silent',
      at,
      app,
      deployment: null,
      by: '',
      reason: `been silent for ${Math.round(afterMs / 60_000)} min`,
      agents: [{ agentId, code: '' }],
      reached: 0,
      expected: 0,
    }));
}

/** When the next of them is due, ms since the epoch; null: none is. */
export function nextSilence({ offline }: Silence, afterMs: number, now: number): number | null {
  const due = [...offline.values()].map(({ since }) => since + afterMs).filter((at) => at > now);
  return due.length === 0 ? null : Math.min(...due);
}
