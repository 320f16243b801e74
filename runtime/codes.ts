import { ADOPT } from './codes/adopt.ts';
import { COMMIT } from './codes/commit.ts';
import { DEFECTS } from './codes/defects.ts';
import { GIT } from './codes/git.ts';
import { ROLLOUT } from './codes/rollout.ts';
import type { CodeRow } from './codes/row.ts';
import { SERVER } from './codes/server.ts';
import { TARGET } from './codes/target.ts';
import { TYPED } from './codes/typed.ts';
import { ZOOKEEPER } from './codes/zookeeper.ts';

/**
 * Every error code, once: what it means, what happens next, what to do. `npm run docs` makes docs/errors.md of it, one
 * section for each file. A code that is not here does not compile.
 */
const TABLE = { ...TYPED, ...TARGET, ...COMMIT, ...SERVER, ...ADOPT, ...ROLLOUT, ...GIT, ...ZOOKEEPER, ...DEFECTS };

export type Code = keyof typeof TABLE;

export const CODES: Readonly<Record<Code, CodeRow>> = TABLE;
