import { FleetError } from '../runtime/errors.ts';
import { hasLeft, type Presence, parsePresence, parseReport, type Report } from '../schemas/report.ts';
import { matches, parseSelector } from '../schemas/selector.ts';
import { AGENT_ID, type Znodes } from '../schemas/znodes.ts';
import { readChildren } from '../zookeeper/recipes/read-children.ts';
import type { NodeData, NodeStat, Session } from '../zookeeper/session.ts';

/** One agent as the znodes show it: who is there now, and what was last said. */
export interface AgentView {
  readonly agentId: string;
  /** Null: offline. */
  readonly presence: Presence | null;
  /** Null: never reported, or not readable by this version. */
  readonly report: Report | null;
  /** When the report was written, ms since the epoch by the clock of the ensemble, which all agents share. */
  readonly reportedAt: number | null;
  /** When its presence was made, by the same clock; null: offline. */
  readonly onlineSince: number | null;
  /** A node that belongs to no session is at the place of its presence: it is none, and `forget` removes it. */
  readonly falsePresence?: true;
}

/** What is at the places of a fleet's agents. */
export interface WholeFleet {
  /** Every agent that is online or ever reported, by id in alphabetical order, but for those that left for good. */
  readonly agents: readonly AgentView[];
  /** Offline, and their last report says that they leave. Nothing expects them. */
  readonly left: readonly AgentView[];
  /** Nodes whose name is no agent's. */
  readonly ignored: number;
  /** Nodes of agents beyond the 10,000 that are read. */
  readonly unread: number;
}

/** The agents of a fleet as everything but `forget` looks at them. */
export const readFleet = async (session: Session, znodes: Znodes): Promise<readonly AgentView[]> =>
  (await readWholeFleet(session, znodes)).agents;

/**
 * Reads go out many at once, so that a thousand agents cost little more than one; nodes whose name is no agent's are not
 * read, and of agents 10,000 at the most.
 */
export async function readWholeFleet(session: Session, znodes: Znodes): Promise<WholeFleet> {
  const names = (name: string) => AGENT_ID.test(name);
  const [online, reported] = await Promise.all([
    readChildren(session, znodes.online, { names }),
    readChildren(session, znodes.agents, { names }),
  ]);
  const ids = [...new Set([...online.nodes.keys(), ...reported.nodes.keys()])].sort();
  const views = ids.map((id) => viewOf(id, online.nodes.get(id) ?? null, reported.nodes.get(id) ?? null));
  const isGone = (view: AgentView) => !view.presence && !view.falsePresence && hasLeft(view.report);
  return {
    agents: views.filter((view) => !isGone(view)),
    left: views.filter(isGone),
    ignored: online.ignored + reported.ignored,
    unread: online.unread + reported.unread,
  };
}

/** One agent; null where nothing is known of it. */
export async function readAgent(session: Session, znodes: Znodes, agentId: string): Promise<AgentView | null> {
  const [presence, report] = await Promise.all([
    session.get(znodes.presence(agentId)),
    session.get(znodes.report(agentId)),
  ]);
  return presence || report ? viewOf(agentId, presence, report) : null;
}

const viewOf = (agentId: string, presence: NodeData | null, report: NodeData | null): AgentView => ({
  agentId,
  presence: presence && isPresence(presence.stat) ? parsePresence(presence.data) : null,
  report: report && parseReport(report.data),
  reportedAt: report?.stat.mtime ?? null,
  onlineSince: presence && isPresence(presence.stat) ? presence.stat.ctime : null,
  ...(presence && !isPresence(presence.stat) ? { falsePresence: true as const } : {}),
});

/** A presence goes with its session; whatever stays without one was made to look like an agent. */
export const isPresence = ({ ephemeralOwner }: Pick<NodeStat, 'ephemeralOwner'>): boolean => ephemeralOwner !== 0n;

/**
 * Which agents `-l` chooses. Labels come with the presence, so an agent that is offline is chosen by no selector but the
 * absent one. @throws FleetError SELECTOR
 */
export function selectedBy(text: unknown): (view: AgentView) => boolean {
  if (text === undefined) return () => true;
  const parsed = parseSelector(String(text));
  if (!parsed.ok) throw new FleetError(parsed.failure);
  return ({ presence }) => presence !== null && matches(parsed.selector, presence.labels);
}
