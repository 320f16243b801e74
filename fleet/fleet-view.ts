import { FleetError } from '../runtime/errors.ts';
import { hasLeft, type Presence, parsePresence, parseReport, presenceAt, type Report } from '../schemas/report.ts';
import { matches, parseSelector } from '../schemas/selector.ts';
import { AGENT_ID, type Znodes } from '../schemas/znodes.ts';
import { readAny } from '../zookeeper/recipes/read-any.ts';
import { readListed } from '../zookeeper/recipes/read-children.ts';
import type { NodeData, Session } from '../zookeeper/session.ts';
import { createEnrolmentReader, type Enrolment } from './enrolment/enrolment.ts';
import { createTrust, type Trust } from './enrolment/trust.ts';

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
  /**
   * The node at the place of its presence is none: no session holds it, or, while enrolment is closed, the agent did not
   * sign it. The coordinator or `forget` removes it.
   */
  readonly falsePresence?: true;
}

/** The agents of an app, and what only looks like one. */
export interface Fleet {
  /** Every agent that is online or ever reported, by id in alphabetical order, but for those that left for good. */
  readonly agents: readonly AgentView[];
  /** Offline, and their last report says that they leave. Nothing expects them. */
  readonly left: readonly AgentView[];
  /** Nodes whose name is no agent's. */
  readonly ignored: number;
  /** Nodes of agents beyond the 10,000 that are read. */
  readonly unread: number;
  /** Names of presences and reports that are no agent's, since enrolment is closed and they are not entered. */
  readonly notEnrolled: readonly string[];
  readonly enrolment: Enrolment;
}

/**
 * Reads the fleet, as often as it is called. Reads go out many at once, so that a thousand agents cost little more than
 * one; nodes whose name is no agent's are not read, and of agents 10,000 at the most.
 */
export function createFleetReader(session: Session, znodes: Znodes): () => Promise<Fleet> {
  return async () => await readListedFleet(session, znodes, await listFleet(session, znodes));
}

/** Who is enrolled, and the names below `online` and `agents`: what a look at the fleet begins with. */
export interface FleetList {
  readonly enrolment: Enrolment;
  readonly online: readonly string[];
  readonly reported: readonly string[];
}

/** One round trip, whatever the size of the fleet. */
export async function listFleet(session: Session, znodes: Znodes): Promise<FleetList> {
  const [enrolment, online, reported] = await Promise.all([
    judgingOf(session, znodes).readEnrolment(),
    session.children(znodes.online),
    session.children(znodes.agents),
  ]);
  return { enrolment, online: online ?? [], reported: reported ?? [] };
}

/** The fleet of a list that was read just now. */
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
 * One for each app of a session: a publish looks three times, and with a thousand enrolled agents each first look is a
 * thousand entries to read and two thousand signatures to verify.
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

/** The agents of one look. */
export async function readFleet(session: Session, znodes: Znodes): Promise<readonly AgentView[]> {
  return (await createFleetReader(session, znodes)()).agents;
}

/** One agent; null where nothing is known of it. */
export async function readAgent(session: Session, znodes: Znodes, agentId: string): Promise<AgentView | null> {
  const { readEnrolment, trustIn } = judgingOf(session, znodes);
  const [enrolment, presence, report] = await Promise.all([
    readEnrolment(),
    readAny(session, znodes.presence(agentId)),
    readAny(session, znodes.report(agentId)),
  ]);
  const trust = trustIn(enrolment);
  const view = trust.names(agentId) ? viewOf(agentId, presence, report, trust) : null;
  return view && (await underSecondName(session, znodes, view, trust));
}

/** One whose name another client's node has, or had a moment ago, is online where its report says. */
async function underSecondName(session: Session, znodes: Znodes, view: AgentView, trust: Trust): Promise<AgentView> {
  const name = view.presence === null ? presenceAt(view.agentId, view.report) : null;
  if (name === null) return view;
  const own = trust.presence(view.agentId, await readAny(session, znodes.presence(name)));
  return { ...view, presence: own && parsePresence(own.data), onlineSince: own?.stat.ctime ?? null };
}

/** Null where there is nothing but a report node that was made at its enrolment: such an agent has never been there. */
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
 * Which agents `-l` chooses. Labels come with the presence, so an agent that is offline is chosen by no selector but the
 * absent one. @throws FleetError SELECTOR
 */
export function selectedBy(text: unknown): (view: AgentView) => boolean {
  if (text === undefined) return () => true;
  const parsed = parseSelector(String(text));
  if (!parsed.ok) throw new FleetError(parsed.failure);
  return ({ presence }) => presence !== null && matches(parsed.selector, presence.labels);
}
