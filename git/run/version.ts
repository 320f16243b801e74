import type { Git } from './process.ts';

/**
 * Older versions lack what process.ts relies on, such as `--end-of-options`. (`core.fsync` is newer still; ignoring it
 * is harmless.)
 */
const MIN = [2, 34, 0];
/** Older versions have known vulnerabilities unless the distribution fixed them; our calls open none of them. */
const ADVISED = [2, 39, 4];

interface GitVersion {
  readonly version: string;
  /** `refused`: do not start. `old`: warn and continue. */
  readonly verdict: 'good' | 'old' | 'refused';
}

/** For doctor and the start of an agent. @throws FleetError NO_GIT. */
export async function gitVersion(git: Git): Promise<GitVersion> {
  return judgeVersion(await git.output(['version']));
}

export function judgeVersion(said: string): GitVersion {
  const version = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(said);
  if (!version) return { version: said.trim().slice(0, 40), verdict: 'refused' };
  const numbers = [version[1], version[2], version[3] ?? '0'].map(Number);
  const verdict = below(numbers, MIN) ? 'refused' : below(numbers, ADVISED) ? 'old' : 'good';
  return { version: version[0], verdict };
}

function below(numbers: readonly number[], limit: readonly number[]): boolean {
  const at = numbers.findIndex((number, index) => number !== limit[index]);
  return at >= 0 && (numbers[at] ?? 0) < (limit[at] ?? 0);
}
