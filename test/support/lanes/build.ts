import { ensureBuilt } from '../../../scripts/setup.mjs';
import { bundleEntry } from '../agent/bundle-entry.ts';

/** Scenarios run the built command line: what they test is what the sources say, also when vitest is called by hand. */
export async function setup(): Promise<void> {
  ensureBuilt();
  await bundleEntry();
}
