import { createHash, randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../../runtime/durable-file.ts';
import { FleetError } from '../../runtime/errors.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';

/**
 * A name for this machine that outlives a boot, since the root's owner file holds it. Containers have none; there the
 * state directory is what stays the same, so it keeps one.
 */
export async function machineName(file: string, state: string, agentId: string): Promise<string> {
  const name = (await readFile(file, 'utf8').catch(() => '')).trim();
  // An image that was never started has an empty file, or the word "uninitialized".
  if (/^[0-9a-f]{32}$/.test(name)) return name;
  return `${agentId} ${await drawnName(join(state, 'machine'))}`;
}

/** @throws FleetError STATE_UNREADABLE where there is one that is not as we write it: another one would lose the root. */
async function drawnName(file: string): Promise<string> {
  const unreadable = (cause?: unknown) =>
    FleetError.of('STATE_UNREADABLE', `${file} is not a name that an agent drew`, undefined, cause);
  const kept = await readIfThere(file, MAX_BYTES).catch((error: unknown) => {
    throw unreadable(error);
  });
  const name = kept?.trim() ?? '';
  if (/^[\w.-]{1,200}$/.test(name)) return name;
  if (name !== '') throw unreadable();
  const drawn = randomUUID();
  await writeDurably(file, `${drawn}\n`);
  return drawn;
}

const MAX_BYTES = 1_024;

/** Changes with each boot. */
export async function bootId(): Promise<string> {
  const id = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return id.trim() || String((await stat('/')).birthtimeMs);
}

/** Names of machines are kept and told as this alone. */
export const machineDigest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
