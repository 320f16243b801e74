import { createEnrolmentReader, type Enrolment } from '../../fleet/enrolment/enrolment.ts';
import { createTrust, type Trust } from '../../fleet/enrolment/trust.ts';
import { type AgentView, viewAgent } from '../../fleet/fleet-view.ts';
import { presentProgress } from '../../publisher/verdict.ts';
import { AGENT_ID, type Znodes } from '../../schemas/znodes.ts';
import { readAny } from '../../zookeeper/recipes/read-any.ts';
import type { NodeData } from '../../zookeeper/session.ts';
import { keepNames, keepZnode, type ReadParts, repeat } from './keep-znode.ts';
import { dueOf, type Look } from './look-order.ts';
import type { SeenAgents } from './seen.ts';

/** As everything that reads the fleet. */
const MAX_AGENTS = 10_000;
const TICK_MS = 100;
/** At most this many agents per tick: two thousand reads per second, which one server answers easily. */
const PER_TICK = 200;
/** At the start nothing is shown before all are read, so this is faster. */
const AT_ONCE = 500;

interface Entry extends Look {
  readonly presence: NodeData | null;
  readonly view: AgentView | null;
}

export interface AgentsReader {
  /** Null until each agent was read once. */
  seen(): SeenAgents | null;
  /** The target or the rollout changed: all agents are looked at again soon. @param agentIds absent: all of them. */
  moved(targetVersion: string | null, agentIds?: readonly string[]): void;
}

/**
 * Keeps what the agents say: one watch each on the names below `online` and `agents`, and reads of single agents within a
 * budget, those on the move first. So the cost does not depend on the number of viewers, and hardly on that of agents.
 * An agent that appears or disappears is noticed at once, a new report of a moving one within a quarter of a second
 * while the budget suffices, any other change within 15 s.
 */
export function readAgents(parts: ReadParts, znodes: Znodes, changed: () => void, signal: AbortSignal): AgentsReader {
  const { session, clock } = parts;
  const readEnrolment = createEnrolmentReader(session, znodes);
  const trustIn = createTrust();
  const entries = new Map<string, Entry>();
  const listed: { online: readonly string[] | null; reported: readonly string[] | null } = {
    online: null,
    reported: null,
  };
  let enrolment: Enrolment | null = null;
  let targetVersion = '';
  let unread = 0;
  let online = new Set<string>();

  const readRights = async () => {
    enrolment = await readEnrolment();
    for (const [id, entry] of entries) entries.set(id, { ...entry, readAt: null });
    takeNames();
  };
  void keepZnode(parts, znodes.enrolment, readRights, signal);
  void keepNames(parts, znodes.online, (found) => list('online', found.exists ? found.names : []), signal);
  void keepNames(parts, znodes.agents, (found) => list('reported', found.exists ? found.names : []), signal);
  void repeat(parts, TICK_MS, tick, signal);

  function list(which: 'online' | 'reported', names: readonly string[]): void {
    const before = online;
    listed[which] = names;
    if (which === 'online') {
      online = new Set(names);
      // Those that come and go are read at once, and so are those whose node was made again, in their turn.
      for (const id of differing(before, online)) forgetRead(id);
    }
    takeNames();
  }

  function forgetRead(id: string): void {
    const entry = entries.get(id);
    if (entry) entries.set(id, { ...entry, readAt: null, movedAt: clock.monotonic() });
  }

  function takeNames(): void {
    if (listed.online === null || listed.reported === null || enrolment === null) return;
    const names = new Set([...listed.online, ...listed.reported].filter((name) => AGENT_ID.test(name)));
    const counted = [...names].sort().slice(0, MAX_AGENTS);
    unread = names.size - counted.length;
    const kept = new Set(counted);
    for (const id of entries.keys()) if (!kept.has(id)) entries.delete(id);
    const movedAt = clock.monotonic();
    for (const id of counted)
      if (!entries.has(id)) entries.set(id, { readAt: null, movedAt, busy: true, presence: null, view: null });
    changed();
  }

  async function tick(): Promise<void> {
    if (enrolment === null) return;
    const trust = trustIn(enrolment);
    const most = isWhole() ? PER_TICK : AT_ONCE;
    const due = dueOf(entries, clock.monotonic(), most);
    if (due.length === 0) return;
    await Promise.all(due.map((id) => readOne(id, trust)));
    changed();
  }

  async function readOne(id: string, trust: Trust): Promise<void> {
    const before = entries.get(id);
    if (!before) return;
    // While it moves, only its report does.
    const both = before.readAt === null || !before.busy;
    const [presence, report] = await Promise.all([
      both ? readPresence(id) : before.presence,
      readAny(session, znodes.report(id)),
    ]);
    const view = await viewAgent(session, znodes, id, { presence, report }, trust);
    const entry = entries.get(id);
    if (!entry) return;
    const now = clock.monotonic();
    const isNew = view?.reportedAt !== entry.view?.reportedAt || view?.onlineSince !== entry.view?.onlineSince;
    const busy = view !== null && isBusy(view, targetVersion);
    entries.set(id, { readAt: now, movedAt: isNew ? now : entry.movedAt, busy, presence, view });
  }

  const readPresence = (id: string): Promise<NodeData | null> | null =>
    online.has(id) ? readAny(session, znodes.presence(id)) : null;

  const isWhole = (): boolean =>
    enrolment !== null && listed.online !== null && listed.reported !== null && [...entries.values()].every(wasRead);

  let known: { readonly views: readonly AgentView[] } | null = null;
  return {
    seen() {
      if (known === null && !isWhole()) return null;
      const views = [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, { view }]) => view ?? []);
      known = { views };
      const names = [...new Set([...(listed.online ?? []), ...(listed.reported ?? [])])];
      const trust = trustIn(enrolment as Enrolment);
      return {
        views,
        ignored: names.filter((name) => !AGENT_ID.test(name)).length,
        unread,
        notEnrolled: names.filter((name) => AGENT_ID.test(name) && !trust.names(name)).sort(),
        enrolment: enrolment as Enrolment,
      };
    },
    moved(version, agentIds) {
      targetVersion = version ?? '';
      const now = clock.monotonic();
      const which = agentIds ?? [...entries.keys()];
      for (const id of which) {
        const entry = entries.get(id);
        if (entry) {
          const busy = entry.view !== null && isBusy(entry.view, targetVersion);
          entries.set(id, { ...entry, movedAt: now, busy });
        }
      }
    },
  };
}

const wasRead = ({ readAt, view }: Entry): boolean => readAt !== null || view !== null;

/** Online, and not at its end for the current target. */
function isBusy(view: AgentView, targetVersion: string): boolean {
  const standing = presentProgress(view, targetVersion);
  return standing === 'working' || standing === 'silent';
}

const differing = (one: ReadonlySet<string>, other: ReadonlySet<string>): string[] => [
  ...[...one].filter((each) => !other.has(each)),
  ...[...other].filter((each) => !one.has(each)),
];
