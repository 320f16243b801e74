import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { writeDurably } from '../../runtime/durable-file.ts';
import { FleetError } from '../../runtime/errors.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';
import { digestId } from '../../zookeeper/acl.ts';

/**
 * The agent's own identity towards ZooKeeper, besides the one that all agents share: drawn at its first start and kept
 * in its state directory. Its presence and its report can be written by it alone, so that no agent speaks for another.
 */
export async function ownCredential(state: string, agentId: string) {
  const password = await keptPassword(join(state, 'zookeeper-credential'));
  const user = `agent-${agentId}`;
  return { scheme: 'digest', credential: `${user}:${password}`, id: digestId(user, password) };
}

/** @throws FleetError STATE_UNREADABLE: with another password the agent could not write its own presence and report. */
async function keptPassword(file: string): Promise<string> {
  const unreadable = (cause?: unknown) =>
    FleetError.of('STATE_UNREADABLE', `${file} is not a credential that an agent drew`, undefined, cause);
  const kept = await readIfThere(file, MAX_BYTES).catch((error: unknown) => {
    throw unreadable(error);
  });
  const password = kept?.trim() ?? '';
  if (/^[A-Za-z0-9_-]{8,200}$/.test(password)) return password;
  if (password !== '') throw unreadable();
  const drawn = randomBytes(24).toString('base64url');
  await writeDurably(file, `${drawn}\n`, 0o600);
  return drawn;
}

const MAX_BYTES = 1_024;
