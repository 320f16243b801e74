import * as z from 'zod';

/**
 * What a person said, in every znode, file and `--json` line that keeps it: by whom, the reason, and when (ms since the
 * epoch). A reason may be empty; if one is required, the command line asks for it.
 */
export const said = z.object({ by: z.string(), reason: z.string().default(''), at: z.number() });
export type Said = z.infer<typeof said>;
