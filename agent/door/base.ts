import * as z from 'zod';
import { once } from '../../runtime/once.ts';
import { targetCore } from '../../schemas/deployment.ts';
import { type Refused, refuse } from '../../schemas/refusal.ts';
import type { AllowedTarget } from '../../schemas/target.ts';
import type { Door } from './door.ts';

/** The fleet's last proven target, if this agent's own rules accept it. */
export interface Base {
  readonly deployment: number;
  readonly target: AllowedTarget;
}

/**
 * Checks first that the members are plain text: deeply nested content could overflow the stack of code that prints it.
 */
const shape = once(() => z.looseObject({ ...targetCore.shape, deployment: z.int().positive() }));

/**
 * Judges `base` of a rollout as config is judged: it is fetched, shown and activated without a permit, and a client
 * that may write one could write the other. A refused base counts as none. Members of a newer coordinator are ignored.
 */
export async function parseBase(value: unknown, door: Door): Promise<{ ok: true; base: Base } | Refused> {
  const shaped = shape().safeParse(value);
  if (!shaped.success)
    return refuse('SHAPE', 'base: no object with url, commitId, relativePath and the number of its deployment', HINT);
  const { deployment, ...core } = shaped.data;
  const judged = await door.judgeKept(core);
  return judged.ok ? { ok: true, base: { deployment, target: judged.target } } : judged;
}

const HINT = 'the writer of the rollout must name the last proven target in full';
