import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetError } from '../../runtime/errors.ts';
import type { Git } from '../run/process.ts';

/** A deployment's commit, kept at the origin under `refs/deployments/<app>/<n>`, so that it survives forced pushes. */
export interface DeploymentPin {
  readonly number: number;
  readonly commitId: string;
}

export const PINS = 'refs/deployments';

/** The pins of one app. */
export async function readPins(git: Git, gitDir: string, app: string): Promise<DeploymentPin[]> {
  const prefix = `${PINS}/${nameOf(app)}/`;
  const lines = (await git.output(['for-each-ref', '--format=%(objectname) %(refname)', prefix], { gitDir })).split(
    '\n',
  );
  return lines.flatMap((line) => {
    const [commitId = '', ref = ''] = line.split(' ');
    const number = Number(/^[1-9]\d*$/.exec(ref.slice(prefix.length))?.[0]);
    return Number.isSafeInteger(number) ? [{ number, commitId }] : [];
  });
}

/**
 * Makes pins for those commits that exist here; an existing pin is success. All in one call of git, but a lock on one
 * pin does not prevent the newest one.
 * @throws FleetError if some pins could not be made.
 */
export async function makePins(git: Git, gitDir: string, app: string, pins: readonly DeploymentPin[]): Promise<void> {
  const here = await commitsHere(git, gitDir, pins);
  const order = ({ number, commitId }: DeploymentPin) => `update ${refOf(app, number)} ${commitId}\n`;
  const newest = here.toSorted((a, b) => b.number - a.number)[0];
  if (newest === undefined) return;
  try {
    await updateRefs(git, gitDir, here.map(order), LOCK_MS);
  } catch (error) {
    if (here.length > 1) await updateRefs(git, gitDir, [order(newest)], LOCK_MS).catch(() => {});
    throw atTheHost(error, gitDir);
  }
}

/**
 * Removes pins. Unlike making pins, this needs the lock of all packed refs. So it runs second and waits only briefly; a
 * failure just leaves more pins than needed.
 */
export async function removePins(git: Git, gitDir: string, app: string, numbers: readonly number[]): Promise<boolean> {
  if (numbers.length === 0) return true;
  const orders = numbers.map((number) => `delete ${refOf(app, number)}\n`);
  return await updateRefs(git, gitDir, orders, BRIEF_MS).then(
    () => true,
    () => false,
  );
}

/** The lock file that prevents the removal of pins, if it is older than any git needs it; otherwise null. */
export async function stalePinLock(gitDir: string, now: number): Promise<string | null> {
  const lock = join(gitDir, 'packed-refs.lock');
  const found = await stat(lock).catch(() => null);
  return found !== null && now - found.mtimeMs > STALE_MS ? lock : null;
}

/** Another hook may be updating the same refs. Git's own timeout is a tenth of a second. */
const LOCK_MS = 5_000;
const BRIEF_MS = 300;
const STALE_MS = 60_000;

const refOf = (app: string, number: number): string => `${PINS}/${nameOf(app)}/${number}`;

async function updateRefs(git: Git, gitDir: string, orders: readonly string[], patienceMs: number): Promise<void> {
  const config = [`core.filesRefLockTimeout=${patienceMs}`, `core.packedRefsTimeout=${patienceMs}`];
  await git.output(['update-ref', '--stdin'], { gitDir, input: orders.join(''), config });
}

/** The hints of git's codes are written for the operator of an agent. */
function atTheHost(error: unknown, gitDir: string): unknown {
  if (!(error instanceof FleetError) || error.code !== 'STORE_LOCKED') return error;
  const hint = `on the git host, if no git runs in ${gitDir}: remove the lock file; the next push pins it`;
  return new FleetError({ ...error.toFailure(), hint });
}

/** Checked first, because git refuses all updates if one of them names a missing commit. */
async function commitsHere(git: Git, gitDir: string, pins: readonly DeploymentPin[]): Promise<DeploymentPin[]> {
  const named = pins.filter(({ commitId }) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(commitId));
  if (named.length === 0) return [];
  const input = named.map(({ commitId }) => `${commitId}\n`).join('');
  const said = (await git.output(['cat-file', '--batch-check=%(objecttype)'], { gitDir, input })).split('\n');
  return named.filter((_, at) => said[at] === 'commit');
}

/** An app znode as one component of a ref name. Dots are escaped: they could form `..` or `.lock`. */
const nameOf = (app: string): string => app.slice(1).replaceAll('/', '+').replaceAll('.', '%2e');
