import { join } from 'node:path';
import * as z from 'zod';
import { writeDurably } from '../../runtime/durable-file.ts';
import { once } from '../../runtime/once.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';
import type { Handshake } from '../../zookeeper/open-session.ts';

/**
 * The server session that holds this agent's registrations, in `<state>/apps/<app>/services-session.json`, so that the
 * next process continues it and a restart removes nothing. Its password opens only that session, and only the agent's
 * user can read the file. A file that cannot be read counts as none: the registrations then end with their session.
 */
export interface SavedSession {
  /** The ensemble of the session. */
  readonly connect: string;
  readonly handshake: Handshake;
  /** The services registered with it, so that one that the settings no longer name is removed. */
  readonly services: readonly string[];
}

export const SESSION_FILE = 'services-session.json';
const MAX_BYTES = 64_000;

const file = once(() =>
  z.object({
    connect: z.string(),
    id: z.string().regex(/^[0-9a-f]{16}$/),
    password: z.string().regex(/^[0-9a-f]{32}$/),
    timeoutMs: z.int().min(1),
    services: z.array(z.string()).max(1_000),
  }),
);

export async function readSavedSession(appState: string): Promise<SavedSession | null> {
  try {
    const text = await readIfThere(join(appState, SESSION_FILE), MAX_BYTES);
    if (text === null) return null;
    const { connect, id, password, timeoutMs, services } = file().parse(JSON.parse(text));
    const handshake = { id: Buffer.from(id, 'hex'), password: Buffer.from(password, 'hex'), timeoutMs };
    return { connect, handshake, services };
  } catch {
    return null;
  }
}

export async function writeSavedSession(appState: string, saved: SavedSession): Promise<void> {
  const { connect, handshake, services } = saved;
  const [id, password] = [handshake.id.toString('hex'), handshake.password.toString('hex')];
  const text = JSON.stringify({ connect, id, password, timeoutMs: handshake.timeoutMs, services });
  await writeDurably(join(appState, SESSION_FILE), `${text}\n`, 0o600);
}
