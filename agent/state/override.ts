import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { syncDirectory, writeDurably } from '../../runtime/durable-file.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';
import { parseKept } from '../../schemas/target.ts';

/**
 * An operator's decision on this server that takes precedence over the fleet's target until a newer target comes.
 * `gitfleet agent rollback` writes it to `<state>/apps/<app>/override.json`. The agent follows it, with or without
 * ZooKeeper, and reports it.
 */
const override = z
  .object({
    /** The target that it was given against; it ends when another one is wanted. */
    against: z.string(),
    /** Empty and not used: the commit that it names is kept here. */
    url: z.string(),
    commitId: z.string(),
    relativePath: z.string(),
    by: z.string(),
    reason: z.string(),
    at: z.number(),
  })
  .refine((named) => parseKept(named).ok);
export type Override = z.infer<typeof override>;

export const OVERRIDE_FILE = 'override.json';
/** For each file with an operator's decision on this server. */
export const MAX_WORD_BYTES = 64 * 1024;

/** Null if there is none. One that cannot be read counts as none. */
export async function readOverride(appState: string): Promise<Override | null> {
  try {
    const text = await readIfThere(join(appState, OVERRIDE_FILE), MAX_WORD_BYTES);
    return text === null ? null : override.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

export async function writeOverride(appState: string, value: Override): Promise<void> {
  // The command may run as root, and the agent's user has to read it. The directory keeps others out.
  await writeDurably(join(appState, OVERRIDE_FILE), `${JSON.stringify(override.parse(value))}\n`, 0o644);
}

export async function dropOverride(appState: string): Promise<void> {
  await rm(join(appState, OVERRIDE_FILE), { force: true });
  await syncDirectory(appState);
}
