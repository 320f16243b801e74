import { join } from 'node:path';
import * as z from 'zod';
import { writeDurably } from '../../runtime/durable-file.ts';
import { once } from '../../runtime/once.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';
import { type Said, said } from '../../schemas/said.ts';

/**
 * The services that a person took this server out of, until `gitfleet service join`. In
 * `<state>/apps/<app>/left-services.json`, by service name. A file that cannot be read counts as empty: a service
 * without instances would be the worse mistake.
 */
export type LeftByHand = Readonly<Record<string, Said>>;

export const LEFT_FILE = 'left-services.json';
const MAX_BYTES = 64_000;
const file = once(() => z.record(z.string(), said));

export async function readLeft(appState: string): Promise<LeftByHand> {
  try {
    const text = await readIfThere(join(appState, LEFT_FILE), MAX_BYTES);
    return text === null ? {} : file().parse(JSON.parse(text));
  } catch {
    return {};
  }
}

/** The agent's user can read it even if root wrote it. The directory keeps other users out. */
export async function writeLeft(appState: string, left: LeftByHand): Promise<void> {
  await writeDurably(join(appState, LEFT_FILE), `${JSON.stringify(file().parse(left))}\n`, 0o644);
}
