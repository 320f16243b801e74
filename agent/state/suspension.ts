import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory, writeDurably } from '../../runtime/durable-file.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';
import { type Said, said } from '../../schemas/said.ts';
import { MAX_WORD_BYTES } from './override.ts';

/**
 * A person took this server out of rollouts: its agent still reports, but does not fetch or swap for the fleet until
 * `gitfleet agent resume`. In `<state>/apps/<app>/suspended.json`.
 */
export type Suspension = Said;

export const SUSPENSION_FILE = 'suspended.json';

/** Null if there is none. One that cannot be read, for any reason, also counts: it is meant to stop the server. */
export async function readSuspension(appState: string): Promise<Suspension | null> {
  try {
    const text = await readIfThere(join(appState, SUSPENSION_FILE), MAX_WORD_BYTES);
    return text === null ? null : said.parse(JSON.parse(text));
  } catch {
    return { by: 'somebody', reason: `${SUSPENSION_FILE} cannot be read`, at: 0 };
  }
}

export async function writeSuspension(appState: string, value: Suspension): Promise<void> {
  // The command may run as root, and the agent's user has to read it. The directory keeps others out.
  await writeDurably(join(appState, SUSPENSION_FILE), `${JSON.stringify(said.parse(value))}\n`, 0o644);
}

export async function dropSuspension(appState: string): Promise<void> {
  await rm(join(appState, SUSPENSION_FILE), { force: true });
  await syncDirectory(appState);
}
