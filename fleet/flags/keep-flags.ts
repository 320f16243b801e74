import { readFile } from 'node:fs/promises';
import type { Clock, Random } from '../../runtime/clock.ts';
import { writeDurably } from '../../runtime/durable-file.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { createMutex } from '../../runtime/mutex.ts';
import { type Flags, MAX_FLAGS_BYTES, NO_FLAGS, parseFlags } from '../../schemas/flags.ts';
import { followNode } from '../../zookeeper/recipes/follow-node.ts';
import type { Session } from '../../zookeeper/session.ts';

export interface KeptFlags {
  readonly flags: Flags;
  /**
   * `ready`: as ZooKeeper shows them. `stale`: the last ones known, since ZooKeeper is away or holds no document that can
   * be read; they stay as they are. `none`: the app never had any.
   */
  readonly state: 'ready' | 'stale' | 'none';
  /** When they were last known to be the present ones, ms since the epoch; 0: not in this process. */
  readonly asOf: number;
}

interface KeepParts {
  readonly session: Session;
  readonly path: string;
  /** Where programs of this server read them, such as `<root>/.gitfleet/<app>/flags.json`. */
  readonly file?: string | undefined;
  /** False: another process writes the file, as the agent does, and this one reads it at its start. */
  readonly writes: boolean;
  /** Called after each change of `kept()`. */
  readonly onChange?: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** A file that could not be written, or that somebody changed or removed, is written again no later than this. */
const LOOK_MS = 10_000;

/**
 * Keeps the app's flags in this process: a watch on their znode, and a file that every program of the server may read, which
 * flagd's file providers understand. Guarantee: the file holds a whole document, the newest one that could be read; it
 * is there before ZooKeeper answers, and nothing that cannot be read, is empty or is gone replaces it. What it does not
 * do: take part in a deployment, or wait for one; make the directory of the file.
 */
export function keepFlags(parts: KeepParts): {
  readonly kept: () => KeptFlags;
  /** Takes what the file holds, where ZooKeeper has not answered yet. Never throws. */
  load(): Promise<void>;
  /** Loads, and follows the znode until `signal` fires or the session is closed. Never throws. */
  follow(signal: AbortSignal): Promise<void>;
} {
  const { session, path, file, writes, clock, random, log, onChange = () => {} } = parts;
  let kept: KeptFlags = { flags: NO_FLAGS, state: 'none', asOf: 0 };
  let said = '';
  const inTurn = createMutex();

  function complain(reason: string, words: string): void {
    if (said !== reason && reason !== '') log.warn({ reason }, words);
    said = reason;
  }

  function keep(next: KeptFlags): void {
    kept = next;
    onChange();
  }

  async function take(data: Buffer | null): Promise<void> {
    const { value, unreadable } = parseFlags(data ?? Buffer.alloc(0));
    complain(unreadable ?? '', 'flags not taken over, the last ones stay');
    if (unreadable === null && value.text !== '') {
      keep({ flags: value, state: 'ready', asOf: clock.now() });
      await write();
    } else if (kept.state === 'ready') keep({ ...kept, state: 'stale', asOf: clock.now() });
  }

  /** One at a time, and always the newest. */
  const write = () =>
    inTurn(async () => {
      const { text } = kept.flags;
      if (file === undefined || !writes || text === '') return;
      if ((await readFile(file, 'utf8').catch(() => null)) === text) return;
      try {
        await writeDurably(file, text, 0o644);
      } catch (error) {
        const { code, message } = classify(error);
        complain(`${code}: ${message}`, 'flags are not in their file, retrying');
      }
    });

  async function keepFile(signal: AbortSignal): Promise<void> {
    while (writes && !signal.aborted) {
      await clock.sleep(LOOK_MS, signal).catch(() => {});
      if (!signal.aborted) await write();
    }
  }

  async function load(): Promise<void> {
    const before = file === undefined ? null : await readKept(file);
    if (before && kept.state === 'none') keep({ flags: before, state: 'stale', asOf: 0 });
  }

  return {
    kept: () => (session.state === 'connected' || kept.state !== 'ready' ? kept : { ...kept, state: 'stale' }),
    load,
    async follow(signal) {
      await load();
      const ended = new AbortController();
      const keeping = keepFile(AbortSignal.any([signal, ended.signal]));
      const off = session.onState((state) => {
        // It was true until now, not only when it was read.
        if (state === 'suspended' && kept.state === 'ready') kept = { ...kept, asOf: clock.now() };
        onChange();
      });
      const options = { session, path, failing: 'cannot read the flags, retrying', clock, random, log };
      // An app of 0.1.0 has no such znode: absent is off.
      const seen = followNode(options, (snapshot) => take(snapshot.exists ? snapshot.data : null), signal);
      while (!(await seen.next()).done);
      off();
      ended.abort();
      await keeping;
    },
  };
}

async function readKept(file: string): Promise<Flags | null> {
  const data = await readFile(file).catch(() => null);
  if (data === null || data.length === 0 || data.length > MAX_FLAGS_BYTES) return null;
  const { value, unreadable } = parseFlags(data);
  return unreadable === null ? value : null;
}
