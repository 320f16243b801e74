import { createEnrolmentReader } from '../fleet/enrolment/enrolment.ts';
import { createTrust, type Trust } from '../fleet/enrolment/trust.ts';
import { isTogether } from '../schemas/policy.ts';
import { parsePresence, parseReport, presenceAt, type Report } from '../schemas/report.ts';
import { parsePermit, type Rollout } from '../schemas/rollout.ts';
import type { TargetVersion } from '../schemas/values.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { readAny } from '../zookeeper/recipes/read-any.ts';
import type { NodeData, Session } from '../zookeeper/session.ts';
import type { RolloutChange } from './action.ts';
import type { AgentSeen } from './observed.ts';

/**
 * The agents as a leader knows them in one term. Presence is read at every look, and so are the reports of the current
 * wave. The reports of all other agents are read less often, because only a failure among them would change anything.
 * Permits are read once: after its first write only the leader changes them. Another client with the right to write may
 * all the same: the permit of an agent that waits for one although it has it is read again.
 */
interface KnownAgents {
  read(rollout: Rollout | null): Promise<readonly AgentSeen[]>;
  /** What an accepted action of ours did to the permits. */
  note(order: RolloutChange, targetVersion: TargetVersion): void;
  /** Makes the next look read everything, permits included: for use after an action whose result is unknown. */
  forget(): void;
}

/** Up to this number of agents, every look reads all of them. */
const FEW = 60;
/** The bound, however many nodes another client creates. */
const MAX_AGENTS = 10_000;

export function knowAgents(session: Session, znodes: Znodes, ensembleNow: () => number, maxAgeMs: number): KnownAgents {
  const seen = new Map<string, AgentSeen>();
  /** Known, but to be read again completely, permits included. */
  let stale = new Set<string>();
  let readAt = Number.NEGATIVE_INFINITY;
  const readEnrolment = createEnrolmentReader(session, znodes);
  const trustIn = createTrust();

  async function read(rollout: Rollout | null): Promise<readonly AgentSeen[]> {
    const [enrolment, online, reported] = await Promise.all([
      readEnrolment(),
      session.children(znodes.online),
      session.children(znodes.agents),
    ]);
    const trust = trustIn(enrolment);
    const present = new Set(online ?? []);
    const ids = [...new Set([...present, ...(reported ?? [])])].filter(trust.names).toSorted().slice(0, MAX_AGENTS);
    const known = new Set(ids);
    const now = ensembleNow();
    const all = ids.length <= FEW || now - readAt > maxAgeMs;
    if (all) readAt = now;
    for (const id of seen.keys()) if (!known.has(id)) seen.delete(id);
    const members = new Set([...(rollout?.members ?? []), ...(rollout?.canary ?? [])]);
    await Promise.all(
      ids.map(async (id) => {
        const before = seen.get(id);
        const changed = before?.online !== present.has(id);
        if (!all && !changed && !members.has(id) && !stale.has(id)) return;
        const found = await readAgent(id, present.has(id), before, now, trust, isTogether(rollout?.policy ?? null));
        if (found) seen.set(id, found);
        else seen.delete(id);
        stale.delete(id);
      }),
    );
    return ids.flatMap((id) => seen.get(id) ?? []);
  }

  async function readAgent(
    agentId: string,
    online: boolean,
    known: AgentSeen | undefined,
    now: number,
    trust: Trust,
    together: boolean,
  ): Promise<AgentSeen | null> {
    const isKnown = known !== undefined && !stale.has(agentId);
    const again = isKnown && known.online === online;
    const knowsPermit = isKnown && !waitsInVain(known);
    const [presence, report, permit] = await Promise.all([
      // Labels do not change during a process, so a presence is read again only after a change. It is always read again
      // while enrolment is closed, because another client may have replaced it, and in a cutover, because a change of
      // the agent's settings may end or begin its ability to take part.
      online && !(again && trust.isOpen && !together) ? readAny(session, znodes.presence(agentId)) : null,
      readAny(session, znodes.report(agentId)),
      knowsPermit ? null : session.get(znodes.permit(agentId)),
    ]);
    const written = trust.report(agentId, report);
    const said = written && parseReport(written.data);
    const own = trust.presence(agentId, presence) ?? (await secondPresence(agentId, said, trust));
    const isThere = own !== null || (online && presence === null && trust.isOpen);
    // Nothing here is the agent's own: its report node was created at its enrolment, or another client used its name.
    if (!isThere && written === null) return null;
    const { labels = {}, cutover = null } = (isThere && (own ? parsePresence(own.data) : known)) || {};
    const heard = isThere ? now : Math.max(known?.heard ?? 0, written?.stat.mtime ?? 0);
    const well = said?.phase === 'active' && (isThere || !known) ? now : (known?.well ?? 0);
    return {
      ...{ agentId, online: isThere, labels, cutover, heard, well, report: said },
      permit: knowsPermit ? known.permit : permitOf(permit, known?.permit ?? null, known ? now : null),
    };
  }

  /**
   * If another client's node has the agent's name, or had it a moment ago, the agent is online under the name in its
   * report.
   */
  async function secondPresence(agentId: string, said: Report | null, trust: Trust): Promise<NodeData | null> {
    const name = presenceAt(agentId, said);
    return name === null ? null : trust.presence(agentId, await readAny(session, znodes.presence(name)));
  }

  function note({ grant, revoke }: RolloutChange, targetVersion: TargetVersion): void {
    const permit = { targetVersion, at: ensembleNow() };
    for (const [ids, given] of [[grant, permit] as const, [revoke, null] as const]) {
      for (const id of ids) {
        const known = seen.get(id);
        if (known) seen.set(id, { ...known, permit: given });
      }
    }
  }

  return {
    read,
    note,
    forget() {
      stale = new Set(seen.keys());
      readAt = Number.NEGATIVE_INFINITY;
    },
  };
}

/** Whether it says that it waits for the permit that it has, as far as this leader knows. */
const waitsInVain = ({ report, permit }: AgentSeen): boolean =>
  permit !== null && report?.phase === 'awaiting' && report.targetVersion === permit.targetVersion;

/**
 * Within one term all times come from one clock: a permit that was known keeps its time; one that is found later gets
 * the time at which it was found.
 */
function permitOf(node: NodeData | null, known: AgentSeen['permit'], foundAt: number | null): AgentSeen['permit'] {
  if (!node) return null;
  const targetVersion = parsePermit(node.data);
  return known?.targetVersion === targetVersion ? known : { targetVersion, at: foundAt ?? node.stat.mtime };
}
