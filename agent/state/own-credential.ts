import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { writeDurably } from '../../runtime/durable-file.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';
import { digestId } from '../../zookeeper/acl.ts';

/**
 * The agent's own identity towards ZooKeeper, besides the one that all agents share: drawn at its first start and kept
 * in its state directory. Its presence and its report can be written by it alone, so that no agent speaks for another.
 */
export async function ownCredential(state: string, agentId: string) {
  const file = join(state, 'zookeeper-credential');
  const kept = await readIfThere(file);
  const password = kept?.trim() || randomBytes(24).toString('base64url');
  if (kept === null) await writeDurably(file, `${password}\n`, 0o600);
  const user = `agent-${agentId}`;
  return { scheme: 'digest', credential: `${user}:${password}`, id: digestId(user, password) };
}
