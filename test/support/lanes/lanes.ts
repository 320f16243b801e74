import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/**
 * Where each test file runs. There is no list: the imports of a file decide, so a new test is in the right lane at
 * once.
 *
 * - `quick`: starts no process, which no-processes.ts enforces. All of it takes seconds: npm run test:quick.
 * - `simulation`: no process either; it mocks the disk, so each file of it has its own modules.
 * - `processes`: everything else. It imports node:child_process or starts-processes.ts, itself or through a helper in
 *   test/.
 */
export type Lane = 'quick' | 'simulation' | 'processes';

const ROOT = join(import.meta.dirname, '../../..');
const MARKS = ['node:child_process', 'test/support/lanes/starts-processes.ts'];
const SIMULATION = 'test/simulation/';

/** All test files, by lane, as paths below the root. */
export function lanes(): Record<Lane, string[]> {
  const found: Record<Lane, string[]> = { quick: [], simulation: [], processes: [] };
  for (const name of readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' }).sort()) {
    if (name.endsWith('.test.ts')) found[laneOf(`test/${name}`)].push(`test/${name}`);
  }
  return found;
}

function laneOf(file: string): Lane {
  if (wayToProcesses(file)) return 'processes';
  return file.startsWith(SIMULATION) ? 'simulation' : 'quick';
}

const known = new Map<string, readonly string[] | null>();

/** The chain of imports by which a file of test/ starts processes, the mark last; null if it does not. */
export function wayToProcesses(file: string): readonly string[] | null {
  const before = known.get(file);
  if (before !== undefined) return before;
  known.set(file, null); // A circular import adds nothing new.
  const imports = valueImports(readFileSync(join(ROOT, file), 'utf8')).map((name) => resolved(file, name));
  const mark = imports.find((name) => MARKS.includes(name));
  let way: readonly string[] | null = mark ? [mark] : null;
  for (const name of imports) {
    if (way || !name.startsWith('test/') || !existsSync(join(ROOT, name))) continue;
    const further = wayToProcesses(name);
    if (further) way = [name, ...further];
  }
  known.set(file, way);
  return way;
}

const IMPORT = /^(?:import|export)\s+(?!type\b)(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\(\s*'([^']+)'/gm;

/** What one of our modules imports at run time, dynamic imports included; types alone start nothing. */
export const valueImports = (text: string): string[] => [...text.matchAll(IMPORT)].map((m) => (m[1] ?? m[2]) as string);

const resolved = (file: string, name: string): string =>
  name.startsWith('.') ? relative(ROOT, join(ROOT, dirname(file), name)) : name;
