import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import '../support/lanes/starts-processes.ts';
import { systemClock } from '../../runtime/clock.ts';
import { howItEnded, run } from '../../runtime/process.ts';

const directory = mkdtempSync(join(tmpdir(), 'gitfleet-no-entry-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function started(program: string, text: string | null): Promise<string> {
  if (text !== null) writeFileSync(join(directory, program), text, { mode: 0o755 });
  const options = { env: { PATH: directory }, clock: systemClock, timeoutMs: 5_000, maxBytes: 1_000 };
  return howItEnded(await run([program], { ...options, keep: 'tail', cwd: directory }), 5_000);
}

it.each([
  ['./none', null, 'there is no such file'],
  ['none', null, `there is none in ${directory}`],
  [
    'windows',
    '#!/bin/sh\r\nexit 0\r\n',
    `${directory}/windows has Windows line ends (CRLF), so its interpreter is not found`,
  ],
  ['python', '#!/opt/none/python3 -u\n', `the interpreter of ${directory}/python is missing: /opt/none/python3`],
  ['./here', '#!/opt/none/sh\n', `the interpreter of ${directory}/here is missing: /opt/none/sh`],
])('a program that cannot be started says why: %s', async (program, text, why) => {
  expect(await started(program, text)).toBe(`could not be started (ENOENT: ${why})`);
});

it('a program that is there ends as it ends', async () => {
  expect(await started('fine', '#!/bin/sh\nexit 3\n')).toBe('exited with 3');
});
