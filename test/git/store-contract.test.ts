import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe } from 'vitest';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';
import { createOrigin, temporaryDirectory } from '../support/git/origin.ts';
import { type GitKit, storeSuite } from './suites/store.ts';
import { aStore } from './test-store.ts';

const removes: (() => void)[] = [];
afterEach(() => {
  for (const remove of removes.splice(0)) remove();
});

async function realKit(): Promise<GitKit> {
  const { path: base, remove } = temporaryDirectory('contract');
  removes.push(remove);
  const origin = createOrigin(join(base, 'origin.git'));
  const commits = [origin.commit({ name: 'a', 'd/same': '1' }), origin.commit({ name: 'b', more: '2' })] as const;
  let up = true;
  const apps = join(base, 'root/.gitfleet/shop');
  return {
    /** While it is away: a port where nobody listens. */
    get url() {
      return up ? origin.url : ('git://127.0.0.1:1/origin.git' as RepositoryUrl);
    },
    commits,
    open: () => aStore(base, { allowProtocols: ['file', 'git'] }),
    origin: (next) => {
      up = next;
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
