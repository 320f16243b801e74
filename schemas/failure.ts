import * as z from 'zod';
import type { Failure } from '../runtime/errors.ts';
import { once } from '../runtime/once.ts';

/** A failure as reports, journals and printed output keep it: the plain value of a FleetError. Read leniently. */
export const failure = once(
  () =>
    z.object({
      code: z.string(),
      reason: z.string(),
      hint: z.string(),
      next: z.enum(['retry', 'wait', 'stall', 'bug']),
    }) satisfies z.ZodType<Failure>,
);
