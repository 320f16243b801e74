import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/build.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores run a ZooKeeper, an origin and several agents per file: more files at once only measure the scheduler.
    maxWorkers: 2,
    pool: 'forks',
  },
});
