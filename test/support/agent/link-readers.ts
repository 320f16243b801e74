import { fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { meant, type Tree } from '../model-tree.ts';

interface Tally {
  /** How often a link was resolved and read. */
  readonly samples: number;
  /** Samples that took longer than the grace, as on a stalled machine: they count neither as good nor as bad. */
  readonly overtaken: number;
  /** Samples whose HEAD could not be read, if that is allowed: HEAD is in the store, not in the release. */
  readonly headless: number;
  readonly held: number;
  readonly heldChecks: number;
  /** Releases held from before another one replaced them until the end of the grace. */
  readonly heldThroughGrace: number;
}

export interface LinkReaders {
  /** Must be called for every commit that a link may show, before it is published. */
  expect(commitId: string, tree: Tree): void;
  /** `storeMayBeAway`: the test damages the store, and a store that is being replaced is away for a moment. */
  watch(link: string, graceMs: number, options?: { storeMayBeAway: boolean }): Promise<void>;
  unwatch(link: string): Promise<void>;
  /** The result so far; `problems` are the reads that were not one whole commit. */
  seen(): Promise<{ tally: Tally; problems: readonly string[] }>;
  stop(): Promise<void>;
}

/** Starts a process that reads served links without pause (link-readers.mjs). */
export function startLinkReaders(directory: string): LinkReaders {
  const expected = join(directory, 'expected');
  mkdirSync(expected, { recursive: true });
  const child = fork(join(import.meta.dirname, 'link-readers.mjs'), [], { execArgv: [], stdio: 'inherit' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const waiting = new Map<number, (answer: { tally: Tally; problems: string[] }) => void>();
  let asked = 0;
  child.on('message', (message: { of: number; tally: Tally; problems: string[] }) => {
    waiting.get(message.of)?.(message);
    waiting.delete(message.of);
  });

  function ask(message: object): Promise<{ tally: Tally; problems: string[] }> {
    const number = asked++;
    return new Promise((resolve, reject) => {
      waiting.set(number, resolve);
      void ended.then(() => reject(new Error('the readers ended')));
      child.send({ ...message, number });
    });
  }

  return {
    expect: (commitId, tree) => writeFileSync(join(expected, `${commitId}.json`), JSON.stringify(meant(tree))),
    async watch(link, graceMs, options = { storeMayBeAway: false }) {
      await ask({ watch: link, graceMs, expected, ...options });
    },
    async unwatch(link) {
      await ask({ unwatch: link });
    },
    seen: () => ask({}),
    async stop() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
