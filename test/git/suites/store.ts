import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, it } from 'vitest';
import type { Store } from '../../../git/store.ts';
import type { FleetError } from '../../../runtime/errors.ts';
import type { CommitId, RepositoryUrl } from '../../../schemas/values.ts';

/** What the suite needs of one git, so that the same cases hold the real one and the simulated one. */
export interface GitKit {
  readonly url: RepositoryUrl;
  /** Two commits that the origin has, with different content. */
  readonly commits: readonly [CommitId, CommitId];
  /** The store, as a process that starts now opens it. */
  open(): Promise<Store>;
  origin(up: boolean): void;
  /** Places on the kit's disk: none is there yet. */
  readonly spare: string;
  release(name: string): string;
  /** The commit whose files a directory holds; null where nothing is. */
  shows(directory: string): Promise<CommitId | null>;
  /** Lets the kit's time pass until the work is done. */
  run<T>(work: Promise<T>): Promise<T>;
}

const NEVER = new AbortController().signal;
const NO_DRIFT = { changed: [], missing: [], strangers: [] };

/** What an agent builds on: it must hold for the git that a simulation has in the real one's place. */
export function storeSuite(make: () => Promise<GitKit>): void {
  /** A case with a kit of its own, and the store of its first process. */
  const holds = (words: string, work: (kit: GitKit, store: Store) => Promise<void>) =>
    it(words, async () => {
      const kit = await make();
      const store = await kit.run(kit.open());
      await work(kit, store);
      store.close();
    });
  const failureOf = (work: Promise<unknown>): Promise<FleetError> =>
    work.then(
      () => expect.fail('it did not fail'),
      (error: FleetError) => error,
    );
  const fetched = ({ url, run }: GitKit, store: Store, commitId: CommitId, signal = NEVER) =>
    run(store.fetch({ url, commitId }, signal));

  async function released(kit: GitKit, store: Store, commitId: CommitId, name: string): Promise<string> {
    await fetched(kit, store, commitId);
    const spare = store.spare(kit.spare);
    await kit.run(spare.write(commitId, NEVER));
    await kit.run(spare.verify(commitId, NEVER));
    const release = kit.release(name);
    await mkdir(dirname(release), { recursive: true });
    await kit.run(spare.moveTo(release));
    return release;
  }

  holds('has what was fetched, pins it, and asks for it once', async (kit, store) => {
    const [a, b] = kit.commits;
    expect([await store.has(a, kit.url), await store.pinned()]).toEqual([false, []]);
    expect(await fetched(kit, store, a)).toEqual({ network: true });
    expect(await fetched(kit, store, a)).toEqual({ network: false });
    expect([await store.has(a, kit.url), await store.has(b, kit.url), await store.pinned()]).toEqual([
      true,
      false,
      [a],
    ]);
    await fetched(kit, store, b);
    expect(new Set(await store.pinned())).toEqual(new Set([a, b]));
  });

  holds('lets go of what is unpinned, also twice', async (kit, store) => {
    const [a, b] = kit.commits;
    for (const commitId of kit.commits) await fetched(kit, store, commitId);
    await kit.run(store.unpin(a));
    await kit.run(store.unpin(a));
    expect([await store.has(a, kit.url), await store.has(b, kit.url), await store.pinned()]).toEqual([
      false,
      true,
      [b],
    ]);
  });

  holds(
    'says that the origin is away, which is worth another try, and needs it for nothing that is here',
    async (kit, store) => {
      const [a, b] = kit.commits;
      await fetched(kit, store, a);
      kit.origin(false);
      expect(await failureOf(fetched(kit, store, b))).toMatchObject({ code: 'FETCH_FAILED', next: 'retry' });
      expect([await store.has(b, kit.url), await store.pinned()]).toEqual([false, [a]]);
      expect(await fetched(kit, store, a)).toEqual({ network: false });
      expect(await kit.shows(await released(kit, store, a, 'a'))).toBe(a);
      kit.origin(true);
      expect(await fetched(kit, store, b)).toEqual({ network: true });
    },
  );

  holds('has nothing of a fetch that was called off, and brings it at the next', async (kit, store) => {
    const [a] = kit.commits;
    await expect(fetched(kit, store, a, AbortSignal.abort())).rejects.toThrow();
    expect([await store.has(a, kit.url), await store.pinned()]).toEqual([false, []]);
    expect(await fetched(kit, store, a)).toEqual({ network: true });
  });

  holds('proves a spare by a look at it, and no sooner', async (kit, store) => {
    const [a, b] = kit.commits;
    const spare = store.spare(kit.spare);
    expect([spare.directory, await spare.proved()]).toEqual([kit.spare, null]);
    for (const commitId of [a, b]) {
      await fetched(kit, store, commitId);
      const writing = spare.write(commitId, NEVER);
      await kit.run(writing);
      expect(await spare.proved()).not.toBe(commitId === a ? b : a);
      await kit.run(spare.verify(commitId, NEVER));
      expect([await spare.proved(), await kit.shows(kit.spare)]).toEqual([commitId, commitId]);
    }
  });

  holds('has no proof of a write that was called off, and makes it good at the next', async (kit, store) => {
    const [a, b] = kit.commits;
    for (const commitId of kit.commits) await fetched(kit, store, commitId);
    const spare = store.spare(kit.spare);
    await kit.run(spare.write(a, NEVER));
    await kit.run(spare.verify(a, NEVER));
    await expect(kit.run(spare.write(b, AbortSignal.abort()))).rejects.toThrow();
    expect(await spare.proved()).not.toBe(b);
    await kit.run(spare.write(b, NEVER));
    await kit.run(spare.verify(b, NEVER));
    expect([await spare.proved(), await kit.shows(kit.spare)]).toEqual([b, b]);
  });

  holds('moves a proved spare to a release, which is whole, and then there is no spare', async (kit, store) => {
    const [a] = kit.commits;
    const release = await released(kit, store, a, 'a');
    expect([await kit.shows(release), await kit.shows(kit.spare)]).toEqual([a, null]);
    expect(await store.spare(kit.spare).proved()).toBeNull();
    expect(await kit.run(store.inspect(release, a, NEVER))).toEqual({ head: a, ...NO_DRIFT });
  });

  holds('takes an old release over as its spare, unproved, and makes of it what is wanted', async (kit, store) => {
    const [a, b] = kit.commits;
    const old = await released(kit, store, a, 'a');
    const spare = store.spare(kit.spare);
    await kit.run(spare.takeOver(old));
    expect([await kit.shows(old), await kit.shows(kit.spare)]).toEqual([null, a]);
    expect(await kit.shows(await released(kit, store, b, 'b'))).toBe(b);
  });

  holds('removes a release, also one that is gone', async (kit, store) => {
    const [a, b] = kit.commits;
    const [first, second] = [await released(kit, store, a, 'a'), await released(kit, store, b, 'b')];
    await kit.run(store.removeWorkTree(first));
    await kit.run(store.removeWorkTree(first));
    expect([await kit.shows(first), await kit.shows(second)]).toEqual([null, b]);
  });

  holds('is found by the next process as the last one left it', async (kit, store) => {
    const [a, b] = kit.commits;
    const release = await released(kit, store, a, 'a');
    await fetched(kit, store, b);
    const spare = store.spare(kit.spare);
    await kit.run(spare.write(b, NEVER));
    await kit.run(spare.verify(b, NEVER));
    store.close();
    const next = await kit.run(kit.open());
    expect(new Set(await next.pinned())).toEqual(new Set([a, b]));
    expect([await next.has(a, kit.url), await next.spare(kit.spare).proved(), await kit.shows(release)]).toEqual([
      true,
      b,
      a,
    ]);
    await kit.run(next.tidy(NEVER));
    expect(await kit.run(next.inspect(release, a, NEVER))).toEqual({ head: a, ...NO_DRIFT });
    next.close();
  });
}
