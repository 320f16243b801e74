import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTargetSigner } from '../../publisher/sign-target.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import { run } from '../../runtime/process.ts';
import { MAX_AHEAD_MS, parseSigned } from '../../schemas/signed/signed-target.ts';
import type { Target } from '../../schemas/target.ts';
import { cleanEnvironment } from '../support/commands.ts';
import { type TestKey, TestSigners } from '../support/signers.ts';
import { until } from '../support/until.ts';

const NOW = 1_800_000_000_000;
const target = {
  url: 'https://h/s.git',
  commitId: 'a'.repeat(40),
  relativePath: 'shop',
  gitfleet: { ref: 'main' },
} as Target;
let signers: TestSigners;
let key: TestKey;
beforeAll(async () => {
  signers = await TestSigners.create();
  key = await signers.key('key');
});
afterAll(() => signers.remove());

/** Every look at the time is a millisecond later. */
function signerAt(now: number, keyFile = key.file, env = cleanEnvironment()) {
  let looks = 0;
  const clock: Clock = { ...systemClock, now: () => now + looks++ };
  return createTargetSigner({ keyFile, audience: 'shop-production', app: '/app/shop', ssh: { clock, env } });
}

function signedIn(signed: Target) {
  const read = parseSigned(Buffer.from(signed.gitfleet?.signed ?? '', 'base64'));
  if (!read.ok) throw new Error(read.failure.reason);
  return read.signed;
}

describe('a target is signed', () => {
  it('with all that agents go by, and keeps what else it says', async () => {
    const signed = await signerAt(NOW).sign(target, null);
    const { url, commitId, relativePath } = target;
    const said = {
      version: 1,
      audience: 'shop-production',
      app: '/app/shop',
      url,
      commitId,
      relativePath,
      ref: 'main',
    };
    expect(signedIn(signed)).toEqual({ ...said, issuedAt: NOW });
    expect(signed).toMatchObject({
      ...target,
      gitfleet: { ref: 'main', signature: expect.stringContaining('SIGNATURE') },
    });
  });

  it('after the current one, as far as that can be an honest time', async () => {
    const currentAt = (now: number) => signerAt(now).sign(target, null);
    const issued = async (current: Target) => signedIn(await signerAt(NOW).sign(target, current)).issuedAt;
    expect(await issued(await currentAt(NOW - 5))).toBe(NOW);
    expect(await issued(await currentAt(NOW))).toBe(NOW + 1);
    expect(await issued(await currentAt(NOW + MAX_AHEAD_MS - 1))).toBe(NOW + MAX_AHEAD_MS);
    expect(await issued(await currentAt(NOW + MAX_AHEAD_MS))).toBe(NOW);
    for (const signed of ['', '%', Buffer.from('{}').toString('base64')])
      expect(await issued({ ...target, gitfleet: { signed } })).toBe(NOW);
  });

  it('while the session connects, and again only where something else is published, or somebody was faster', async () => {
    const early = signerAt(NOW);
    early.begin(target);
    expect(signedIn(await early.sign(target, null)).issuedAt).toBe(NOW);
    const faster = signerAt(NOW);
    faster.begin(target);
    const current = await signerAt(NOW + 500).sign(target, null);
    expect(signedIn(await faster.sign(target, current)).issuedAt).toBe(NOW + 501);
    const other = signerAt(NOW);
    other.begin(target);
    const elsewhere = { ...target, relativePath: 'x' } as Target;
    expect(signedIn(await other.sign(elsewhere, null)).relativePath).toBe('x');
  });

  it('by a key that only ssh-agent has', async () => {
    const held = await signers.key('held');
    const socket = join(signers.directory, 'agent.sock');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore', env: cleanEnvironment() });
    const env = cleanEnvironment({ SSH_AUTH_SOCK: socket });
    const add = () =>
      run(['ssh-add', held.file], { env, clock: systemClock, timeoutMs: 5_000, maxBytes: 10_000, keep: 'tail' });
    await until('the key is in the agent', async () => (await add()).exitCode === 0);
    await rm(held.file);
    const signed = await signerAt(NOW, `${held.file}.pub`, env).sign(target, null);
    expect(signedIn(signed).issuedAt).toBe(NOW);
    agent.kill();
    await once(agent, 'exit');
  });

  it('or nothing is published: no key, no right to it, a passphrase, no ssh-keygen', async () => {
    const locked = await signers.key('locked');
    const change = ['ssh-keygen', '-q', '-p', '-P', '', '-N', 'secret', '-f', locked.file];
    await run(change, { env: cleanEnvironment(), clock: systemClock, timeoutMs: 9_000, maxBytes: 9_000, keep: 'tail' });
    const failing = [
      signerAt(NOW, '/nonexistent'),
      signerAt(NOW, locked.file),
      signerAt(NOW, key.file, { PATH: '/x' }),
    ];
    for (const signer of failing) {
      const failure = await signer.sign(target, null).then(() => null, classify);
      expect(failure).toMatchObject({ code: 'SIGN_FAILED', hint: expect.stringContaining('ssh-agent') });
    }
  });
});
