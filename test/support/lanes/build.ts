import { ensureBuilt } from '../../../scripts/setup.mjs';
import { bundleEntry } from '../agent/bundle-entry.ts';

/** Scenarios run the built command line. This makes it match the sources, also when vitest is called directly. */
export async function setup(): Promise<void> {
  ensureBuilt();
  await bundleEntry();
}
