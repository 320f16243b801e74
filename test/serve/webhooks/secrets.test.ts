import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { secretsIn } from '../../../cli/serve/webhooks.ts';
import { silentLog } from '../../support/log.ts';

let directory: string;
const file = (name: string) => join(directory, name);
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gitfleet-secrets-'));
  await writeFile(file('good'), '0123456789abcdef0123\n', { mode: 0o600 });
  await writeFile(file('weak'), 'short\n', { mode: 0o600 });
});
afterAll(() => rm(directory, { recursive: true }));

it('a secret counts although another file is missing or weak', async () => {
  for (const other of ['missing', 'weak']) {
    expect(await secretsIn([file(other), file('good')], silentLog)).toEqual(['0123456789abcdef0123']);
  }
});

it('without a single secret no delivery can be judged', async () => {
  await expect(secretsIn([file('missing'), file('weak')], silentLog)).rejects.toThrow();
});
