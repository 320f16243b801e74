import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe } from 'vitest';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import { startGitDaemon } from '../support/git/daemon.ts';
import { createOrigin, temporaryDirectory } from '../support/git/origin.ts';
import { type GitKit, storeSuite } from './suites/store.ts';
import { startTcpProxy } from './tcp-proxy.ts';
import { aStore } from './test-store.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function realKit(): Promise<GitKit> {
  const { path: base, remove } = temporaryDirectory('contract');
  const origin = createOrigin(join(base, 'origin.git'));
  const commits = [origin.commit({ name: 'a', 'd/same': '1' }), origin.commit({ name: 'b', more: '2' })] as const;
  const daemon = await startGitDaemon(base);
  const proxy = await startTcpProxy(daemon.port);
  ends.push(proxy.stop, daemon.stop, remove);
  const apps = join(base, 'root/.gitfleet/shop');
  return {
    url: `git://127.0.0.1:${proxy.port}/origin.git` as RepositoryUrl,
    commits,
    open: () => aStore(base, { allowProtocols: ['git'] }),
    origin: (next) => {
      proxy.weather = next ? { kind: 'fair' } : { kind: 'cut', after: 0 };
    },
    spare: join(apps, 'spare'),
    release: (name) => join(apps, 'releases', name),
    shows: async (directory) => {
      const name = await readFile(join(directory, 'name'), 'utf8').catch(() => null);
      return name === null ? null : (commits[name === 'a' ? 0 : 1] as CommitId);
    },
    run: (work) => work,
  };
}

describe('the real git', () => storeSuite(realKit));
