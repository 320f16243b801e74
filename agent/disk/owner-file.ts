import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Who took a root: an agent, on a machine whose name is only kept as a digest. */
interface Owner {
  readonly agentId: string;
  readonly machine: string;
}

export const ownerFile = (root: string): string => join(root, '.gitfleet', 'owner');

/** Who took this root; null: nobody yet; `unknown`: somebody, in a file that is not as we write it. */
export async function readOwner(root: string): Promise<Owner | 'unknown' | null> {
  const text = await readFile(ownerFile(root), 'utf8').catch(() => '');
  return text === '' ? null : (parseOwner(text) ?? 'unknown');
}

export const encodeOwner = ({ agentId, machine }: Owner): string => `${agentId} ${machine}\n`;

/** Null for text that is not as we write it: it may be anything, so nobody repeats any of it. */
export function parseOwner(text: string): Owner | null {
  const [, agentId, machine] = /^([A-Za-z0-9._-]{1,100}) ([0-9a-f]{16})\n$/.exec(text) ?? [];
  return agentId === undefined || machine === undefined ? null : { agentId, machine };
}

/** The agent that took this root, whatever name the command line or the settings have; else `named`. */
export async function ownerOr(named: string, root: string): Promise<string> {
  const owner = await readOwner(root);
  return owner === null || owner === 'unknown' ? named : owner.agentId;
}
