import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lanes, valueImports, wayToProcesses } from './support/lanes/lanes.ts';

/** What each lane may not lose: a file that moves by an import too many is seen here. */
const QUICK_FILES = 60;

describe('the lanes of the tests', () => {
  it('hold every test file once', () => {
    const all = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' });
    const tests = all.filter((name) => name.endsWith('.test.ts')).map((name) => join('test', name));
    const { quick, simulation, processes } = lanes();
    expect([...quick, ...simulation, ...processes].sort()).toEqual(tests.sort());
    expect(quick.length).toBeGreaterThanOrEqual(QUICK_FILES);
  });

  it('are chosen by what a file imports, itself or by a helper', () => {
    expect(wayToProcesses('test/schemas/url.test.ts')).toBeNull();
    expect(wayToProcesses('test/scenarios/fleet.test.ts')?.at(-1)).toBe('node:child_process');
    expect(wayToProcesses('test/runtime/process.test.ts')).toEqual(['test/support/lanes/starts-processes.ts']);
    expect(wayToProcesses('test/fleet/app.test.ts')).toEqual([
      'test/support/zookeeper/shared.ts',
      'test/support/lanes/starts-processes.ts',
    ]);
  });

  it('see each way to import, and no types', () => {
    const text = [
      "import a from './a.ts';",
      "import type { B } from './b.ts';",
      "import {\n  c,\n  type D,\n} from './c.ts';",
      "import './e.ts';",
      "export { f } from './f.ts';",
      "export type { G } from './g.ts';",
      "const h = await import('./h.ts');",
      "import * as i from './i.ts';",
    ].join('\n');
    expect(valueImports(text)).toEqual(['a', 'c', 'e', 'f', 'h', 'i'].map((name) => `./${name}.ts`));
  });
});
