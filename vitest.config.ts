import { defineConfig } from 'vitest/config';
import { lanes } from './test/support/lanes/lanes.ts';
import { LongestFirst } from './test/support/lanes/longest-first.ts';

const { quick, simulation, processes } = lanes();
const LEAVES_NOTHING = 'test/support/lanes/leaves-nothing.ts';
const NO_PROCESSES = 'test/support/lanes/no-processes.ts';

/** A bound says "hangs", never "slow": it holds also where others work on the same two cores. */
const HANGS_MS = 120_000;
/** Real processes wait more than they work: two more files at a time make use of that. */
const WORKERS = 2;
const WORKERS_WITH_PROCESSES = 4;

export const common = { testTimeout: HANGS_MS, hookTimeout: HANGS_MS, pool: 'forks', maxWorkers: WORKERS } as const;

export default defineConfig({
  test: {
    ...common,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'quick',
          include: quick,
          setupFiles: [LEAVES_NOTHING, NO_PROCESSES],
          env: { VITEST_LANE: 'quick' },
          // One set of modules for all files of a worker: most of the time would go into loading them again.
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: 'simulation', include: simulation, setupFiles: [LEAVES_NOTHING, NO_PROCESSES] },
      },
      {
        extends: true,
        test: {
          name: 'processes',
          include: processes,
          setupFiles: [LEAVES_NOTHING],
          globalSetup: ['test/support/lanes/build.ts', 'test/support/zookeeper/of-workers.ts'],
          maxWorkers: WORKERS_WITH_PROCESSES,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
