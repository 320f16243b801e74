import type { Code } from '../../runtime/codes.ts';
import { classify } from '../../runtime/errors.ts';

/** The exit codes (docs/design.md, section 7). They say what was observed, never what was intended. */
export const EXIT = {
  converged: 0,
  failed: 1,
  usage: 2,
  rolledBack: 3,
  notConverged: 4,
  refused: 5,
  conflict: 6,
  unavailable: 7,
  /** Only for `plan --exit-code`: a code that no failure has. */
  changes: 10,
  /** Only for `lock` and `elect`: EX_TEMPFAIL of sysexits.h, because a later try may succeed. */
  inDoubt: 75,
  detached: 130,
} as const;

const BY_CODE: Readonly<Partial<Record<Code, number>>> = {
  USAGE: EXIT.usage,
  SETTINGS: EXIT.usage,
  HOLD: EXIT.refused,
  QUARANTINED: EXIT.refused,
  ROLLOUT_OVER: EXIT.refused,
  CUTOVER: EXIT.refused,
  ONLINE: EXIT.refused,
  NOT_ALLOWED: EXIT.refused,
  SIGNATURE_MISSING: EXIT.refused,
  NOT_ON_BRANCH: EXIT.refused,
  COMMIT_UNSIGNED: EXIT.refused,
  AUDIENCE: EXIT.refused,
  APP_OPEN: EXIT.refused,
  CONFLICT: EXIT.conflict,
  STATE_TAKEN: EXIT.conflict,
  ROOT_TAKEN: EXIT.conflict,
  LOCK_TAKEN: EXIT.conflict,
  APP_MISSING: EXIT.unavailable,
  NO_COORDINATOR: EXIT.unavailable,
  PUBLISH_STUCK: EXIT.unavailable,
  PUBLISH_UNKNOWN: EXIT.unavailable,
  DEADLINE: EXIT.unavailable,
  CONNECTION_LOSS: EXIT.unavailable,
  UNREACHABLE: EXIT.unavailable,
  AUTH_FAILED: EXIT.unavailable,
  DIGEST_ALGORITHM: EXIT.unavailable,
  NO_AUTH: EXIT.unavailable,
  INTERRUPTED: EXIT.detached,
};

/** Input that is wrong as typed. */
const USAGE_CODES: readonly Code[] = [
  'POLICY',
  'URL',
  'SCHEME',
  'CREDENTIALS',
  'HOST',
  'COMMIT',
  'PATH',
  'SELECTOR',
  'BAD_CONNECT_STRING',
  'REF',
  'NO_SUCH_REV',
  'AMBIGUOUS_REV',
  'NOT_A_REPOSITORY',
  'ZNODE',
  'ZNODE_RESERVED',
];

export function exitCodeOf(error: unknown): number {
  const { code } = classify(error);
  return BY_CODE[code] ?? (USAGE_CODES.includes(code) ? EXIT.usage : EXIT.failed);
}
