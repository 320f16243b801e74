import { defineConfig } from 'vitest/config';
import { lanes } from './test/support/lanes.ts';

const { quick, simulation, processes } = lanes();

export const common = { testTimeout: 60_000, hookTimeout: 60_000, pool: 'forks', maxWorkers: 2 } as const;

export default defineConfig({
  test: {
    ...common,
    projects: [
      {
        extends: true,
        // One set of modules for all files of a worker: most of the time would go into loading them again.
        test: { name: 'quick', include: quick, isolate: false, setupFiles: ['test/support/no-processes.ts'] },
      },
      {
        extends: true,
        test: { name: 'simulation', include: simulation, setupFiles: ['test/support/no-processes.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'processes',
          include: processes,
          globalSetup: ['test/support/build.ts', 'test/support/zookeeper/of-workers.ts'],
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
