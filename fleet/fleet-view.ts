import { FleetError } from '../runtime/errors.ts';
import { hasLeft, type Presence, parsePresence, parseReport, presenceAt, type Report } from '../schemas/report.ts';
import { matches, parseSelector } from '../schemas/selector.ts';
import { AGENT_ID, type Znodes } from '../schemas/znodes.ts';
import { readAny } from '../zookeeper/recipes/read-any.ts';
import { readListed } from '../zookeeper/recipes/read-children.ts';
import type { NodeData, Session } from '../zookeeper/session.ts';
import { createEnrolmentReader, type Enrolment } from './enrolment/enrolment.ts';
import { createTrust, type Trust } from './enrolment/trust.ts';

/** One agent, as seen in the znodes: its current presence and its last report. */
export interface AgentView {
  readonly agentId: string;
  /** Null: offline. */
  readonly presence: Presence | null;
  /** Null: never reported, or not readable by this version. */
  readonly report: Report | null;
  /** When the report was written, ms since the epoch by the clock of the ensemble, which all agents share. */
  readonly reportedAt: number | null;
  /** When its presence was created, by the same clock; null: offline. */
  readonly onlineSince: number | null;
  /**
   * The node in place of its presence is not genuine: no session holds it, or, while enrolment is closed, the agent did
   * not sign it. The coordinator or `forget` removes it.
   */
  readonly falsePresence?: true;
}

/** The agents of an app, and what only looks like one. */
export interface Fleet {
  /** Every agent that is online or ever reported, except those that left for good; sorted by id. */
  readonly agents: readonly AgentView[];
  /** Agents that are offline and whose last report says that they left for good. Nothing expects them. */
  readonly left: readonly AgentView[];
  /** Number of nodes whose name cannot be an agent's. */
  readonly ignored: number;
  /** Number of agents' nodes beyond the 10,000 that are read. */
  readonly unread: number;
  /** Names of presences and reports that do not count because enrolment is closed and they are not enrolled. */
  readonly notEnrolled: readonly string[];
  readonly enrolment: Enrolment;
}

/**
 * Returns a function that reads the fleet. Reads run in parallel, so a thousand agents take little more time than one.
 * Nodes whose name cannot be an agent's are not read, and at most 10,000 agents are.
 */
export function createFleetReader(session: Session, znodes: Znodes): () => Promise<Fleet> {
  return async () => await readListedFleet(session, znodes, await listFleet(session, znodes));
}

/** The enrolment, and the names below `online` and `agents`: the first step of reading the fleet. */
export interface FleetList {
  readonly enrolment: Enrolment;
  readonly online: readonly string[];
  readonly reported: readonly string[];
}

/** Reads the list in one round trip, whatever the size of the fleet. */
export async function listFleet(session: Session, znodes: Znodes): Promise<FleetList> {
  const [enrolment, online, reported] = await Promise.all([
    judgingOf(session, znodes).readEnrolment(),
    session.children(znodes.online),
    session.children(znodes.agents),
  ]);
  return { enrolment, online: online ?? [], reported: reported ?? [] };
}

/** Reads the agents of a list that was just read. */
export async function readListedFleet(session: Session, znodes: Znodes, list: FleetList): Promise<Fleet> {
  const { enrolment, online, reported } = list;
  const trust = judgingOf(session, znodes).trustIn(enrolment);
  const [presences, reports] = await Promise.all([
    readListed(session, znodes.online, online, trust),
    readListed(session, znodes.agents, reported, trust),
  ]);
  const ids = [...new Set([...presences.nodes.keys(), ...reports.nodes.keys()])].sort();
  const at = ({ nodes }: Pick<typeof presences, 'nodes'>, id: string) => nodes.get(id) ?? null;
  const seen = ids.flatMap((id) => viewOf(id, at(presences, id), at(reports, id), trust) ?? []);
  const views = await Promise.all(seen.map((view) => underSecondName(session, znodes, view, trust)));
  const listed = [...online, ...reported];
  const isGone = (view: AgentView) => !view.presence && !view.falsePresence && hasLeft(view.report);
  return {
    agents: views.filter((view) => !isGone(view)),
    left: views.filter(isGone),
    notEnrolled: strangers(new Set(listed), trust),
    ignored: listed.filter((name) => !AGENT_ID.test(name)).length,
    unread: presences.unread + reports.unread,
    enrolment,
  };
}

interface Judging {
  readonly readEnrolment: () => Promise<Enrolment>;
  readonly trustIn: ReturnType<typeof createTrust>;
}

const judgings = new WeakMap<Session, Map<string, Judging>>();

/**
 * Shared by all readings of an app in a session: a publish reads three times, and with a thousand enrolled agents a
 * first reading takes a thousand entries and two thousand signatures.
 */
function judgingOf(session: Session, znodes: Znodes): Judging {
  const ofSession = judgings.get(session) ?? new Map<string, Judging>();
  judgings.set(session, ofSession);
  const made = ofSession.get(znodes.app) ?? {
    readEnrolment: createEnrolmentReader(session, znodes),
    trustIn: createTrust(),
  };
  ofSession.set(znodes.app, made);
  return made;
}

/** The agents, read once. */
export async function readFleet(session: Session, znodes: Znodes): Promise<readonly AgentView[]> {
  return (await createFleetReader(session, znodes)()).agents;
}

/** One agent; null if nothing is known about it. */
export async function readAgent(session: Session, znodes: Znodes, agentId: string): Promise<AgentView | null> {
  const { readEnrolment, trustIn } = judgingOf(session, znodes);
  const [enrolment, presence, report] = await Promise.all([
    readEnrolment(),
    readAny(session, znodes.presence(agentId)),
    readAny(session, znodes.report(agentId)),
  ]);
  return await viewAgent(session, znodes, agentId, { presence, report }, trustIn(enrolment));
}

/** One agent from its nodes, which were just read. Reads a third one if it is online under a second name. */
export async function viewAgent(
  session: Session,
  znodes: Znodes,
  agentId: string,
  { presence, report }: { readonly presence: NodeData | null; readonly report: NodeData | null },
  trust: Trust,
): Promise<AgentView | null> {
  const view = trust.names(agentId) ? viewOf(agentId, presence, report, trust) : null;
  return view && (await underSecondName(session, znodes, view, trust));
}

/**
 * An agent whose name is, or was a moment ago, taken by another client's node is online under the name in its report.
 */
async function underSecondName(session: Session, znodes: Znodes, view: AgentView, trust: Trust): Promise<AgentView> {
  const name = view.presence === null ? presenceAt(view.agentId, view.report) : null;
  if (name === null) return view;
  const own = trust.presence(view.agentId, await readAny(session, znodes.presence(name)));
  return { ...view, presence: own && parsePresence(own.data), onlineSince: own?.stat.ctime ?? null };
}

/** Null if there is only the empty report node from its enrolment: such an agent was never online. */
function viewOf(agentId: string, presence: NodeData | null, report: NodeData | null, trust: Trust): AgentView | null {
  if (presence === null && (report?.data.length ?? 0) === 0) return null;
  const own = trust.presence(agentId, presence);
  const said = trust.report(agentId, report);
  return {
    agentId,
    presence: own && parsePresence(own.data),
    report: said && parseReport(said.data),
    reportedAt: said?.stat.mtime ?? null,
    onlineSince: own?.stat.ctime ?? null,
    ...(presence && !own ? { falsePresence: true as const } : {}),
  };
}

const strangers = (listed: ReadonlySet<string>, trust: Trust): string[] =>
  [...listed].filter((name) => AGENT_ID.test(name) && !trust.names(name)).sort();

/**
 * The agents that `-l` selects. Labels are part of the presence, so offline agents are selected only without `-l`.
 * @throws FleetError SELECTOR
 */
export function selectedBy(text: unknown): (view: AgentView) => boolean {
  if (text === undefined) return () => true;
  const parsed = parseSelector(String(text));
  if (!parsed.ok) throw new FleetError(parsed.failure);
  return ({ presence }) => presence !== null && matches(parsed.selector, presence.labels);
}
