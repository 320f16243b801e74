import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { cleanEnvironment } from '../../support/commands.ts';
import { lineOf, signedConfig, TestSigners } from '../../support/signers.ts';

const exec = promisify(execFile);

/** The commands of docs/security.md, as they stand there. */
function recipe(): string {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/security.md'), 'utf8');
  const section = page.split('## Check a signature by hand')[1]?.split('\n## ')[0] ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('    '));
  expect(lines.length).toBeGreaterThan(2);
  return lines.map((line) => line.trim()).join('\n');
}

it('the recipe of docs/security.md accepts what was signed, and nothing else', async () => {
  const signers = await TestSigners.create();
  const directory = await mkdtemp(join(tmpdir(), 'gitfleet-by-hand-'));
  const key = await signers.key('ann');
  await writeFile(join(directory, 'signers'), `${lineOf('ann@example.com', key)}\n`);
  const url = 'https://git.example.com/shop.git';
  const target = { url, commitId: 'a'.repeat(40), relativePath: 'shop' };
  const said = {
    version: 1,
    audience: 'shop-production',
    app: '/app/shop',
    ...target,
    ref: 'main',
    issuedAt: 1,
  } as const;
  const config = await signedConfig(said, key);
  const run = async (content: object) => {
    await writeFile(join(directory, 'config.json'), JSON.stringify(content));
    const PATH = `${join(process.execPath, '..')}:${process.env['PATH']}`;
    return await exec('bash', ['-euo', 'pipefail', '-c', recipe()], {
      cwd: directory,
      env: cleanEnvironment({ PATH }),
    });
  };
  const { stdout } = await run(config);
  expect(stdout).toContain('Good "gitfleet@v1" signature for ann@example.com');
  expect(stdout).toContain(JSON.stringify(said));
  const signed = Buffer.from(JSON.stringify({ ...said, commitId: 'b'.repeat(40) })).toString('base64');
  await expect(run({ ...config, gitfleet: { ...config.gitfleet, signed } })).rejects.toThrow(
    /incorrect signature|Could not verify/,
  );
  expect(await readFile(join(directory, 'signed'), 'utf8')).toContain('bbbb');
  await signers.remove();
  await rm(directory, { recursive: true });
});
