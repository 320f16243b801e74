import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, vi } from 'vitest';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import { type GitKit, storeSuite } from '../git/suites/store.ts';
import { SEED, type Seeded, seeded } from '../support/seeded.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';
import { newDisks } from './disk.ts';
import { noObjects, simulatedGit } from './git.ts';

vi.mock('node:fs/promises', () => import('./disk.ts'));

async function simulatedKit(): Promise<GitKit> {
  newDisks();
  const clock = createVirtualClock();
  const objects = noObjects();
  // The faults that it makes up by itself are for the simulation.
  const draw: Seeded = { ...seeded(SEED), often: () => false };
  let up = true;
  const spareDirectory = '/root/.gitfleet/shop/spare';
  return {
    url: 'https://git.example.com/shop' as RepositoryUrl,
    commits: ['a'.repeat(40) as CommitId, 'b'.repeat(40) as CommitId],
    open: async () => simulatedGit({ objects, clock, draw, originUp: () => up, spareDirectory }),
    origin: (next) => {
      up = next;
    },
    spare: spareDirectory,
    release: (name) => `/root/.gitfleet/shop/releases/${name}`,
    shows: async (directory) =>
      (await readFile(join(directory, 'commit'), 'utf8').catch(() => null)) as CommitId | null,
    async run(work) {
      let over = false;
      const end = () => {
        over = true;
      };
      work.then(end, end);
      await clock.run(clock.monotonic() + 60_000, () => over);
      return await work;
    },
  };
}

describe(`the simulated git (seed ${SEED})`, () => storeSuite(simulatedKit));
