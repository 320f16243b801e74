import { mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { openStore } from '../../git/open-store.ts';
import { systemClock, systemRandom } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';

/**
 * A small agent for the kill tests, run as a process of its own: recovers, then deploys each commit in turn the way
 * the agent does, with the spare made ready afterwards and the oldest release recycled. Dies by SIGKILL at the n-th hit
 * of one failpoint, when told so. Prints a line per hit.
 */
interface Orders {
  readonly base: string;
  readonly url: RepositoryUrl;
  readonly commits: readonly CommitId[];
  /** What the last commit has and the one before it lacks, as base64. */
  readonly bundle: string;
  readonly dieAt?: { readonly name: string; readonly hit: number };
}

const orders = JSON.parse(process.argv[2] ?? '{}') as Orders;
const signal = new AbortController().signal;
const hits: Record<string, number> = {};

const store = openStore({
  directory: join(orders.base, 'state/apps/shop/store.git'),
  credentialFor: () => undefined,
  allowProtocols: ['file'],
  clock: systemClock,
  random: systemRandom,
  log: createLog({ level: 'silent' }),
  failpoint(name) {
    hits[name] = (hits[name] ?? 0) + 1;
    if (orders.dieAt?.name !== name || orders.dieAt.hit !== hits[name]) return;
    process.kill(process.pid, 'SIGKILL');
  },
});
const app = join(orders.base, 'root/.gitfleet/shop');
const releases = join(app, 'releases');
const link = join(orders.base, 'root/web');
const spare = store.spare(join(app, 'spare'));

await store.recover();
for (const commitId of orders.commits) await deploy(commitId);
console.log(JSON.stringify({ done: true, hits }));
store.close();

async function deploy(commitId: CommitId): Promise<void> {
  await bring(commitId);
  const release = join(releases, commitId);
  if (!list(releases).includes(commitId)) {
    await spare.write(commitId, signal);
    await spare.verify(commitId, signal);
    await spare.moveTo(release);
  }
  swap(commitId);
  // In the background of a real agent: recycle or remove what is old, make the next spare, inspect what is served.
  const kept = [commitId, ...orders.commits.slice(0, orders.commits.indexOf(commitId)).slice(-1)];
  for (const old of list(releases).filter((name) => !kept.includes(name as CommitId))) {
    if (old.startsWith('.')) rmSync(join(releases, old), { recursive: true, force: true });
    else if (hits['remove.deleted'] === undefined) await store.removeWorkTree(join(releases, old));
    else await spare.takeOver(join(releases, old));
    await store.unpin(old as CommitId).catch(() => {});
  }
  await spare.write(commitId, signal);
  await spare.verify(commitId, signal);
  await store.inspect(release, commitId, signal);
}

/** The last commit comes from a bundle; from the origin only if its base was lost. */
async function bring(commitId: CommitId): Promise<void> {
  const base = orders.commits.at(-2);
  const request = { url: orders.url, commitId };
  const offered = commitId === orders.commits.at(-1) && base !== undefined;
  const bundle = offered && { base, pack: Buffer.from(orders.bundle, 'base64') };
  if (!bundle || (await store.take(request, bundle, signal)) !== null) await store.fetch(request, signal);
}

function swap(commitId: CommitId): void {
  if (readTarget() === commitId) return;
  mkdirSync(dirname(link), { recursive: true });
  rmSync(`${link}.new`, { force: true });
  symlinkSync(join('.gitfleet/shop/releases', commitId), `${link}.new`);
  renameSync(`${link}.new`, link);
}

function readTarget(): string | null {
  try {
    return basename(readlinkSync(link));
  } catch {
    return null;
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
