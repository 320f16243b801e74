import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGit } from '../../git/run/process.ts';
import { gitVersion, judgeVersion } from '../../git/run/version.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import { type HttpsOrigin, startHttpsOrigin } from '../support/git/https-origin.ts';
import { createOrigin, temporaryDirectory } from '../support/git/origin.ts';
import { aStore, NEVER, QUIET, release } from './test-store.ts';

const CANARY = `canary-${Math.random().toString(36).slice(2)}-secret`;
let base: string;
let remove: () => void;
let server: HttpsOrigin;
let commitId: CommitId;

beforeAll(async () => {
  ({ path: base, remove } = temporaryDirectory('canary'));
  const origin = createOrigin(join(base, 'git/r.git'));
  for (let at = 0; at < 3; at++) commitId = origin.commit({ [`f${at}`]: 'x'.repeat(100_000 * at) });
  server = await startHttpsOrigin(join(base, 'git'));
});
afterAll(async () => {
  await server.stop();
  remove();
});

/** What anybody on the machine can see of the processes of this moment, and their environments besides. */
function seenInProc(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .flatMap((pid) => ['cmdline', 'environ'].map((file) => textOf(`/proc/${pid}/${file}`)))
    .join('\n');
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

describe('a token', () => {
  it('is in no argument, no environment, no log line, no message and no file but its own', async () => {
    const tokenFile = join(base, 'token');
    writeFileSync(tokenFile, CANARY, { mode: 0o600 });
    const lines: string[] = [];
    const log = createLog({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
    const credential = { prefix: server.url(''), tokenFile };
    const store = await aStore(join(base, 'agent'), { credentialFor: () => credential, allowProtocols: ['http'], log });
    const url = server.url('r.git') as RepositoryUrl;
    const seen: string[] = [];
    let watching = true;
    const watch = (async () => {
      while (watching) {
        seen.push(seenInProc());
        await systemClock.sleep(2);
      }
    })();
    const messages: string[] = [];
    const tryOnce = () =>
      store.fetch({ url, commitId }, NEVER).catch((error: Error) => void messages.push(`${error.stack}`));
    server.allowed = ['somebody:else'];
    await tryOnce();
    server.allowed = [`gitfleet:${CANARY}`];
    server.status = 500;
    await tryOnce();
    server.status = null;
    await tryOnce();
    await release(store, join(base, 'agent'), commitId);
    watching = false;
    await watch;
    store.close();
    expect(messages.length).toBe(2);
    expect(seen.some((text) => text.includes('GITFLEET_TOKEN_FILE'))).toBe(true); // We did look while git ran.
    expect(seen.filter((text) => text.includes(CANARY))).toEqual([]);
    expect([...lines, ...messages].filter((text) => text.includes(CANARY))).toEqual([]);
    expect(lines.length).toBeGreaterThan(5);
    const files = readdirSync(join(base, 'agent'), { recursive: true, encoding: 'utf8' })
      .map((name) => join(base, 'agent', name))
      .filter((file) => statSync(file).isFile());
    expect(files.filter((file) => readFileSync(file, 'latin1').includes(CANARY))).toEqual([]);
  });
});

describe('the version of git', () => {
  it('is judged by number', async () => {
    expect((await gitVersion(createGit({ clock: systemClock, log: QUIET }))).verdict).not.toBe('refused');
    const table: [string, string][] = [
      ['git version 2.39.5', 'good'],
      ['git version 2.50.1 (Apple Git-155)', 'good'],
      ['git version 2.39.3', 'old'],
      ['git version 2.34.1', 'old'],
      ['git version 2.30.2', 'refused'],
      ['git version 1.8.3.1', 'refused'],
      ['nonsense', 'refused'],
    ];
    for (const [said, verdict] of table) expect(judgeVersion(said).verdict, said).toBe(verdict);
  });
});
