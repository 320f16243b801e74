import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const read = (file: string) => readFileSync(join(import.meta.dirname, '../..', file), 'utf8');

describe('the licence', () => {
  it('is the one that package.json names', () => {
    const { license, author, files } = JSON.parse(read('package.json'));
    expect(read('LICENSE')).toMatch(new RegExp(`^${license} License\\n\\nCopyright \\(c\\) 2026 ${author}\\n`));
    expect(files).toContain('LICENSE');
  });

  it('is in the image', () => {
    const text = read('packaging/Dockerfile');
    expect(text.slice(text.lastIndexOf('FROM '))).toMatch(/^COPY LICENSE \.\/$/m);
  });

  it('has its blank in the copyright file of the Debian package', () => {
    expect(read('packaging/debian/copyright')).toMatch(/\n@LICENSE@\n$/);
  });
});
