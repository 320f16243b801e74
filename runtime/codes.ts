import { adoptCodes } from './codes/adopt.ts';
import { commitCodes } from './codes/commit.ts';
import { defectsCodes } from './codes/defects.ts';
import { flagCodes } from './codes/flags.ts';
import { gitCodes } from './codes/git.ts';
import { rolloutCodes } from './codes/rollout.ts';
import type { CodeRow } from './codes/row.ts';
import { serveCodes } from './codes/serve.ts';
import { serverCodes } from './codes/server.ts';
import { sharedWorkCodes } from './codes/shared-work.ts';
import { signatureCodes } from './codes/signatures.ts';
import { targetCodes } from './codes/target.ts';
import { typedCodes } from './codes/typed.ts';
import { zookeeperCodes } from './codes/zookeeper.ts';
import { once } from './once.ts';

/**
 * Every error code, declared once: what it means, what happens next, what to do. `npm run docs` generates
 * docs/errors.md from it, one section for each file. A code that is not here does not compile. The table is made at the
 * first failure, so that a command that succeeds does not pay for it.
 */
const makeTable = () => ({
  ...typedCodes(),
  ...targetCodes(),
  ...signatureCodes(),
  ...commitCodes(),
  ...serverCodes(),
  ...adoptCodes(),
  ...rolloutCodes(),
  ...gitCodes(),
  ...flagCodes(),
  ...serveCodes(),
  ...zookeeperCodes(),
  ...sharedWorkCodes(),
  ...defectsCodes(),
});

export type Code = keyof ReturnType<typeof makeTable>;

export const codes: () => Readonly<Record<Code, CodeRow>> = once(makeTable);
