import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Spare, Store } from '../../git/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import type { CommitId } from '../../schemas/values.ts';
import type { Seeded } from '../support/seeded.ts';

/** What one server's git has, over the restarts of its agent. */
interface Objects {
  readonly stored: Set<CommitId>;
  proved: CommitId | null;
}

export const noObjects = (): Objects => ({ stored: new Set(), proved: null });

interface SimulatedGitParts {
  readonly objects: Objects;
  readonly clock: Clock;
  readonly draw: Seeded;
  /** False while the origin does not answer. */
  readonly originUp: () => boolean;
  readonly spareDirectory: string;
  readonly onFetch?: (url: string) => void;
  /** Whether another release fits on the disk. */
  readonly hasRoom?: () => boolean;
}

/**
 * Git as an agent sees it, taking time and failing now and then: objects are ids, a work tree is a directory with one
 * file that names its commit.
 */
export function simulatedGit(parts: SimulatedGitParts): Store {
  const { objects, clock, draw, originUp, spareDirectory, onFetch = () => {}, hasRoom = () => true } = parts;
  const work = (maxMs: number, signal?: AbortSignal) => clock.sleep(draw.next() * maxMs, signal);

  const spare: Spare = {
    directory: spareDirectory,
    proved: async () => objects.proved,
    async write(commitId, signal) {
      objects.proved = null;
      await work(2_000, signal);
      if (!hasRoom()) throw noSpace();
      await rm(spareDirectory, { recursive: true, force: true });
      await mkdir(spareDirectory, { recursive: true });
      await writeFile(join(spareDirectory, 'commit'), commitId);
    },
    async verify(commitId, signal) {
      await work(500, signal);
      objects.proved = commitId;
    },
    async moveTo(release) {
      await work(10);
      await rename(spareDirectory, release);
      objects.proved = null;
    },
    async takeOver(release) {
      objects.proved = null;
      await rm(spareDirectory, { recursive: true, force: true });
      await rename(release, spareDirectory);
    },
  };
  return {
    directory: '/nowhere',
    has: async (commitId) => objects.stored.has(commitId),
    async fetch({ url, commitId }, signal) {
      if (url !== null) onFetch(url);
      if (objects.stored.has(commitId)) return { network: false };
      await work(3_000, signal);
      if (!originUp() || draw.often(0.05)) throw originAway();
      objects.stored.add(commitId);
      return { network: true };
    },
    // Simulated agents have no rules about commits.
    findRef: async () => ({ ref: null, looked: 0, all: false }),
    readCommit: async () => Buffer.alloc(0),
    fetchTag: async () => null,
    take: async () => 'base',
    unpin: async (commitId) => void objects.stored.delete(commitId),
    pinned: async () => [...objects.stored],
    spare: () => spare,
    inspect: async (_, commitId) => ({ head: commitId, changed: [], missing: [], strangers: [] }),
    removeWorkTree: (directory) => rm(directory, { recursive: true, force: true }) as Promise<void>,
    undeletable: async () => [],
    recover: async () => {},
    restore: async () => {},
    attach: async () => {},
    tidy: async () => {},
    close() {},
  };
}

const originAway = () =>
  new FleetError({ code: 'FETCH_FAILED', reason: 'the origin does not answer', hint: 'wait for it', next: 'retry' });

const noSpace = () => FleetError.of('NO_SPACE', 'no room for another release');
