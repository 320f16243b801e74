import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { initialZnodes, ZNODES, type ZnodeRow, znodes } from '../../schemas/znodes.ts';
import { SEED } from '../support/seeded.ts';

const ROWS: readonly ZnodeRow[] = Object.values(ZNODES);

describe('the rows of schemas/znodes.ts', () => {
  it('give each path of an app', () => {
    const paths = Object.entries(znodes('/app/shop')).map(([kind, path]) => [
      kind,
      typeof path === 'string' ? path : path('$&' as never),
    ]);
    const wanted = Object.entries(ZNODES).map(([kind, row]) => [
      kind,
      `/app/shop/${row.path}`.replace(/<\w+>/, () => '$&'),
    ]);
    for (const [kind, path] of paths) {
      if (kind === 'app') expect(path).toBe('/app/shop');
      else expect(wanted).toContainEqual([kind, path]);
    }
  });

  it('are made by init from the top down, and config last', () => {
    const made = initialZnodes('/app/shop').map(([path]) => path);
    expect(made[0]).toBe('/app/shop');
    expect(made.at(-1)).toBe('/app/shop/config');
    expect(made.every((path) => !path.includes('<'))).toBe(true);
    expect(made).toHaveLength(ROWS.filter((row) => row.made === 'init').length);
  });

  it('let viewers read all but source code, and only agents make presences and reports', () => {
    const shut = ROWS.filter((row) => row.rights[3] !== 'r').map(({ path, rights }) => [path, ...rights]);
    expect(shut).toEqual([['objects/<digest>', '', '', 'r', '']]);
    expect([ZNODES.online, ZNODES.agents].map((row) => row.rights)).toEqual([
      // Whoever leads takes away what stands in an enrolled agent's place.
      ['r', 'dr', 'cr', 'r'],
      ['r', 'r', 'cr', 'r'],
    ]);
  });

  it('read whatever another program left there without throwing', () => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some));
    const json = fc.json().map((text) => Buffer.from(text));
    const readers = ROWS.flatMap((row) => (row.parse ? [row.parse] : []));
    expect(readers.length).toBeGreaterThanOrEqual(9);
    fc.assert(
      fc.property(fc.oneof(bytes, json), (data) => readers.every((read) => read(data) !== undefined)),
      { seed: SEED },
    );
  });
});
