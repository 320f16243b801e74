import { defineConfig } from 'vitest/config';
import { common } from '../../vitest.config.ts';

/** `npm run test:package`: what wants root, a container and a Debian to fetch. */
export default defineConfig({
  test: {
    ...common,
    include: ['test/packaging/**/*.package.ts'],
    globalSetup: ['test/support/lanes/build.ts'],
    testTimeout: 180_000,
    sequence: { concurrent: false },
  },
});
