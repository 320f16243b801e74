import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/**
 * Where each test file runs. Nobody keeps a list: what a file imports says it, so a new test is in the right lane at once.
 *
 * - `quick`: starts no process, which no-processes.ts holds it to. All of it takes seconds: npm run test:quick.
 * - `simulation`: no process either; it mocks the disk, so each file of it has modules of its own.
 * - `processes`: everything else. It imports node:child_process or starts-processes.ts, itself or by a helper in test/.
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

/** By which imports a file of test/ comes to start processes, the mark last; null where it does not. */
export function wayToProcesses(file: string): readonly string[] | null {
  const before = known.get(file);
  if (before !== undefined) return before;
  known.set(file, null); // Whoever imports in a circle learns nothing new by it.
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

/** What a module of ours imports to run it, dynamic imports included; types alone start nothing. */
export const valueImports = (text: string): string[] => [...text.matchAll(IMPORT)].map((m) => (m[1] ?? m[2]) as string);

const resolved = (file: string, name: string): string =>
  name.startsWith('.') ? relative(ROOT, join(ROOT, dirname(file), name)) : name;
