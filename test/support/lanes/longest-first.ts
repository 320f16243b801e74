import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const ROOT = join(import.meta.dirname, '../../..');

/** Seconds that the long files took on a machine with two cores. npm test -- --record updates them. */
const DURATIONS = JSON.parse(readFileSync(join(import.meta.dirname, 'durations.json'), 'utf8')) as Record<
  string,
  number
>;

/**
 * The longest file begins first, so that no worker is left with it while the others have nothing to do. A file that is
 * not in the list is short, or new.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const order = ({ project }: TestSpecification) => project.config.sequence.groupOrder;
    const seconds = ({ moduleId }: TestSpecification) => DURATIONS[relative(ROOT, moduleId)] ?? 0;
    return (await super.sort(files)).sort((a, b) => order(a) - order(b) || seconds(b) - seconds(a));
  }
}
