import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ZNODES, type ZnodeRow } from '../../schemas/znodes.ts';

const ROOT = join(import.meta.dirname, '../..');
const DOC = readFileSync(join(ROOT, 'docs/znodes.md'), 'utf8');

const check = (file: string) =>
  spawnSync(process.execPath, [join(ROOT, 'scripts/znodes-doc.mjs'), '--check', file], { encoding: 'utf8' });

describe('docs/znodes.md', () => {
  it('is what its script makes of schemas/znodes.ts', () => {
    expect(check(join(ROOT, 'docs/znodes.md'))).toMatchObject({ status: 0, stderr: '' });
  });

  it('has one entry per row of the tree, with all that the row says', () => {
    const plain = (text: string) => text.replace(/\[([^\]]+)\]\([^)]+\)/g, '$1').replaceAll('`', '');
    const [tree = '', rights = ''] = DOC.split('## Rights');
    const rows = Object.values(ZNODES).filter((row) => row.path !== '');
    const entries = tree
      .split(/\n(?=- )/)
      .slice(1)
      .map((entry) => plain(entry).replace(/\s+/g, ' ').trim())
      .map((entry) => /^- \*\*(.+?)\*\* \((.+?)\): (.+) - Written by: (.+) - Watched by: (.+)$/.exec(entry)?.slice(1));
    expect(entries).toEqual(rows.map((row) => [row.path, row.mode, row.content, row.writtenBy, row.watchedBy]));
    const cells = rights
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((row) => row.split(' | ').map((cell) => plain(cell).replace(/^\| | \|$/g, '')));
    expect(cells).toEqual(
      rows.map((row: ZnodeRow) => [row.path, ...row.rights, row.flagger ?? row.rights[3], row.server ?? row.rights[3]]),
    );
  });

  it('is missed as soon as one word of it differs', () => {
    const directory = mkdtempSync(join(tmpdir(), 'gitfleet-znodes-'));
    try {
      const file = join(directory, 'znodes.md');
      writeFileSync(file, DOC.replace('every agent', 'every server'));
      const said = check(file);
      expect(said.status).toBe(1);
      expect(said.stderr).toContain('npm run docs');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
