import { ensureBuilt } from '../../scripts/setup.mjs';

/** Scenarios run the built command line: what they test is what the sources say, also when vitest is called by hand. */
export function setup(): void {
  ensureBuilt();
}
