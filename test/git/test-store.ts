import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { openStore, type StoreOptions } from '../../git/open-store.ts';
import type { Store } from '../../git/store.ts';
import { systemClock, systemRandom } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { createLog } from '../../runtime/log.ts';
import type { CommitId } from '../../schemas/values.ts';

export const QUIET = createLog({ level: 'silent' });
export const NEVER = new AbortController().signal;

/** Closed after each test, so that no resident git of a store outlives it. */
const opened = new Set<Store>();
afterEach(() => {
  for (const store of opened) store.close();
  opened.clear();
});

/** A recovered store with what every test would say the same way. */
export async function aStore(base: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  const store = openStore({
    directory: join(base, 'state/apps/shop/store.git'),
    credentialFor: () => undefined,
    allowProtocols: ['file'],
    clock: systemClock,
    random: systemRandom,
    log: QUIET,
    ...options,
  });
  opened.add(store);
  await store.recover();
  return store;
}

/** The same, which also tells which git commands it runs. */
export function aListeningStore(
  base: string,
  ran: (command: string) => void,
  options: Partial<StoreOptions> = {},
): Promise<Store> {
  const debug = (facts: { git?: string }) => facts.git && ran(facts.git);
  return aStore(base, { ...options, log: { ...QUIET, debug } as never });
}

/** Fetches nothing: writes, verifies and moves a commit that the store has. */
export async function release(
  store: Store,
  base: string,
  commitId: CommitId,
  name: string = commitId,
): Promise<string> {
  const spare = store.spare(join(base, 'root/.gitfleet/shop/spare'));
  const directory = join(base, 'root/.gitfleet/shop/releases', name);
  await spare.write(commitId, NEVER);
  await spare.verify(commitId, NEVER);
  await spare.moveTo(directory);
  return directory;
}

/** Path to kind, mode and bytes of everything below `directory`, `.git` left out: the disk itself, without git. */
export function onDisk(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(directory.length + 1);
    if (name === '.git' || entry.isDirectory()) continue;
    const stat = lstatSync(path);
    found[name] = entry.isSymbolicLink()
      ? `link ${readlinkSync(path)}`
      : `${(stat.mode & 0o7777).toString(8)} ${readFileSync(path, 'latin1')}`;
  }
  return found;
}

/** The same as a commit has it, asked of the origin. */
export function inCommit(origin: string, commitId: string): Record<string, string> {
  const git = (args: string[], input = '') =>
    execFileSync('git', [`--git-dir=${origin}`, ...args], { encoding: 'latin1', input, maxBuffer: 1 << 28 });
  const entries = git(['ls-tree', '-r', '-z', commitId])
    .split('\0')
    .map((line) => /^(\d+) blob ([0-9a-f]+)\t(.*)$/s.exec(line) ?? [])
    .filter(([whole]) => whole !== undefined);
  const contents = git(['cat-file', '--batch'], entries.map(([, , id]) => `${id}\n`).join(''));
  const found: Record<string, string> = {};
  let at = 0;
  for (const [, mode = '', , path = ''] of entries) {
    const start = contents.indexOf('\n', at) + 1;
    const size = Number(contents.slice(at, start).trim().split(' ')[2]);
    const content = contents.slice(start, start + size);
    at = start + size + 1;
    found[Buffer.from(path, 'latin1').toString('utf8')] =
      mode === '120000' ? `link ${content}` : `${mode === '100755' ? '755' : '644'} ${content}`;
  }
  return found;
}

/** The FleetError that `work` fails with; anything else fails the test. */
export async function failureOf(work: Promise<unknown>): Promise<FleetError> {
  const thrown = await work.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  );
  if (thrown instanceof FleetError) return thrown;
  throw thrown;
}
