import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** `npm run test:package`: what wants root, a container and a Debian to fetch. */
export default mergeConfig(
  { ...base, test: { ...base.test, include: [] } },
  defineConfig({
    test: { include: ['test/packaging/**/*.package.ts'], testTimeout: 180_000, sequence: { concurrent: false } },
  }),
);
