import { parseReport } from '../schemas/report.ts';
import type { SigningKey } from '../schemas/text/signed-json.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import type { CallOptions, Session } from '../zookeeper/session.ts';
import { reportSubject } from './enrolment/trust.ts';
import { createTries } from './tries.ts';

/**
 * Marks the last report of an agent that leaves for good because its server goes away: once it is offline, no reader
 * expects it and no budget counts it. The next report of an agent with that name removes the mark. The session must
 * have the agent's own credential. (A mark, because only the operator may delete a report.)
 * @param key the agent's own.
 * @returns false if it never reported, so that nothing expects it.
 * @throws ZooKeeperError
 */
export async function markLeft(
  session: Session,
  znodes: Znodes,
  agentId: string,
  key: SigningKey,
  call?: CallOptions,
): Promise<boolean> {
  const tries = createTries();
  for (;;) {
    const node = await session.get(znodes.report(agentId), call);
    if (!node || !parseReport(node.data)) return false;
    // Keeps members that a newer version wrote.
    const left = { ...JSON.parse(node.data.toString('utf8')), left: true, signature: undefined };
    const data = key.sign(reportSubject(agentId), Buffer.from(JSON.stringify(left)));
    try {
      await session.set(znodes.report(agentId), data, node.stat.version, call);
      return true;
    } catch (error) {
      if (!isCode(error, 'BAD_VERSION')) throw error;
      tries.moved();
    }
  }
}
