import * as z from 'zod';

/**
 * A person's word, in every znode, file and `--json` line that keeps one: who said it, the reason given, and when (ms
 * since the epoch). A reason may be empty; where one is required, the command line asks for it.
 */
export const said = z.object({ by: z.string(), reason: z.string().default(''), at: z.number() });
export type Said = z.infer<typeof said>;
