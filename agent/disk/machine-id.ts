import { createHash, randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../../runtime/durable-file.ts';
import { FleetError } from '../../runtime/errors.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';

/**
 * A name for this machine that survives a reboot, because the root's owner file contains it. Containers have none.
 * There the state directory is what stays the same, so it keeps one.
 */
export async function machineName(file: string, state: string, agentId: string): Promise<string> {
  const name = (await readFile(file, 'utf8').catch(() => '')).trim();
  // In an image that was never booted, the file is empty or contains the word "uninitialized".
  if (/^[0-9a-f]{32}$/.test(name)) return name;
  return `${agentId} ${await drawnName(join(state, 'machine'))}`;
}

/**
 * @throws FleetError STATE_UNREADABLE if the file is not in our format: with another name the agent would lose its
 * root.
 */
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

/** Machine names are stored and shown only as this digest. */
export const machineDigest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
