import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { writeDurably } from '../../runtime/durable-file.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';
import { clean } from '../../runtime/safe-text.ts';
import { MAX_WORD_BYTES } from './override.ts';

/**
 * Why the fleet does not see the running agent as online, in `<state>/apps/<app>/presence-problem.json`: `gitfleet
 * agent status` shows what ZooKeeper does not. It says nothing about an agent that does not run.
 */
const presenceProblem = z.object({ code: z.string(), reason: z.string(), hint: z.string(), at: z.number() });
export type PresenceProblem = z.infer<typeof presenceProblem>;

const FILE = 'presence-problem.json';

/** Null if there is none, or if it cannot be read. */
export async function readPresenceProblem(appState: string): Promise<PresenceProblem | null> {
  try {
    const text = await readIfThere(join(appState, FILE), MAX_WORD_BYTES);
    return text === null ? null : presenceProblem.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** @param problem null: it is over. */
export async function notePresenceProblem(appState: string, problem: PresenceProblem | null): Promise<void> {
  const file = join(appState, FILE);
  if (problem === null) return await rm(file, { force: true });
  const { code, reason, hint, at } = problem;
  const kept = { code: clean(code, 40), reason: clean(reason, 500), hint: clean(hint, 500), at };
  await writeDurably(file, `${JSON.stringify(kept)}\n`, 0o644);
}
