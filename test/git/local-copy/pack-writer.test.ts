import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type PackedObject, packOf } from '../../../git/local-copy/pack-writer.ts';
import { temporaryDirectory } from '../../support/git/origin.ts';
import { SEED } from '../../support/seeded.ts';

let base: string;
let remove: () => void;
beforeEach(() => {
  ({ path: base, remove } = temporaryDirectory('pack'));
});
afterEach(() => remove());

const blobOf = (content: Buffer, format: string): PackedObject => {
  const id = createHash(format).update(`blob ${content.length}\0`).update(content).digest('hex');
  return { id, type: 'blob', content };
};

/** What git makes of the same pack. */
function indexByGit(pack: Buffer, format: string): Buffer {
  const directory = join(base, 'by-git');
  rmSync(directory, { recursive: true, force: true });
  execFileSync('git', ['init', '--quiet', '--bare', `--object-format=${format}`, directory]);
  const file = join(directory, 'x.pack');
  writeFileSync(file, pack);
  execFileSync('git', [`--git-dir=${directory}`, 'index-pack', '--strict', '--no-rev-index', file], { stdio: 'pipe' });
  return readFileSync(join(directory, 'x.idx'));
}

describe.each(['sha1', 'sha256'] as const)('a pack of ours, with %s', (format) => {
  it('is one to git, which makes the same index of it', () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.integer({ min: 1, max: 300_000 }).map((size) => Buffer.alloc(size, 'text ')),
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(
          content.map((bytes) => Buffer.from(bytes)),
          { minLength: 1, maxLength: 12, selector: String },
        ),
        (contents) => {
          const made = packOf(
            contents.map((each) => blobOf(each, format)),
            format,
          );
          expect(indexByGit(made.pack, format).equals(made.index)).toBe(true);
          expect(made.name).toBe(`pack-${made.pack.subarray(format === 'sha1' ? -20 : -32).toString('hex')}`);
        },
      ),
      { numRuns: 25, seed: SEED },
    );
  });
});

it('gives back every size that has a header of another length', () => {
  const store = join(base, 'store.git');
  execFileSync('git', ['init', '--quiet', '--bare', store]);
  const sizes = [0, 15, 16, 2_047, 2_048, 262_143, 262_144];
  const objects = sizes.map((size) => blobOf(Buffer.alloc(size, 'x'), 'sha1'));
  const { name, pack, index } = packOf(objects, 'sha1');
  mkdirSync(join(store, 'objects/pack'), { recursive: true });
  writeFileSync(join(store, 'objects/pack', `${name}.pack`), pack);
  writeFileSync(join(store, 'objects/pack', `${name}.idx`), index);
  for (const { id, content } of objects) {
    const read = execFileSync('git', [`--git-dir=${store}`, 'cat-file', 'blob', id], { maxBuffer: 1 << 20 });
    expect(read.equals(content), `${content.length}`).toBe(true);
  }
  execFileSync('git', [`--git-dir=${store}`, 'verify-pack', join(store, 'objects/pack', `${name}.idx`)]);
});
