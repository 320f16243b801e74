import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock, Random } from '../../runtime/clock.ts';
import { writeDurably } from '../../runtime/durable-file.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { type Flags, MAX_FLAGS_BYTES, NO_FLAGS, parseFlags } from '../../schemas/flags.ts';
import { followNode } from '../../zookeeper/recipes/follow-node.ts';
import type { Session } from '../../zookeeper/session.ts';

export interface KeptFlags {
  readonly flags: Flags;
  /**
   * `ready`: as ZooKeeper shows them. `stale`: the last ones known, since ZooKeeper is away or holds no document; they
   * stay as they are. `none`: the app never had any.
   */
  readonly state: 'ready' | 'stale' | 'none';
  /** When they were last known to be the present ones, ms since the epoch; 0: not in this process. */
  readonly asOf: number;
}

interface FlagsFileParts {
  readonly session: Session;
  readonly path: string;
  /** Where programs of this server read them, `<root>/.gitfleet/<app>/flags.json`. */
  readonly file: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * Keeps the app's flags on this server: a watch on their znode, and a file that every program of the server may read, which
 * flagd's file providers understand. Guarantee: the file holds a whole document, the newest one that could be read; it
 * is there before ZooKeeper answers, and nothing that cannot be read replaces it. What it does not do: take part in a
 * deployment, or wait for one.
 */
export function keepFlags(parts: FlagsFileParts): {
  readonly kept: () => KeptFlags;
  /** Follows the znode until `signal` fires. Never throws. */
  follow(signal: AbortSignal): Promise<void>;
} {
  const { session, path, file, clock, random, log } = parts;
  let kept: KeptFlags = { flags: NO_FLAGS, state: 'none', asOf: 0 };
  let said = '';
  /** What the file is known to hold. */
  let written: string | null = null;

  function complain(reason: string): void {
    if (said !== reason && reason !== '') log.warn({ reason }, 'flags not taken over, the last ones stay');
    said = reason;
  }

  async function take(data: Buffer): Promise<void> {
    const { value, unreadable } = parseFlags(data);
    complain(unreadable ?? '');
    if (unreadable !== null) {
      kept = { ...kept, state: kept.state === 'none' ? 'none' : 'stale' };
      return;
    }
    kept = { flags: value, state: data.length === 0 ? 'none' : 'ready', asOf: clock.now() };
    // An emptied document is no reason to take from programs what they have.
    if (data.length > 0 && value.text !== written) await write(value.text);
  }

  async function write(text: string): Promise<void> {
    try {
      await mkdir(dirname(file), { recursive: true });
      await writeDurably(file, text, 0o644);
      written = text;
    } catch (error) {
      const { code, message } = classify(error);
      complain(`${code}: ${message}`);
    }
  }

  return {
    kept: () => (session.state === 'connected' || kept.state !== 'ready' ? kept : { ...kept, state: 'stale' }),
    async follow(signal) {
      const before = await readKept(file);
      if (before) {
        written = before.text;
        kept = { flags: before, state: 'stale', asOf: 0 };
      }
      const options = { session, path, failing: 'cannot read the flags, retrying', clock, random, log };
      // An app of 0.1.0 has no such znode: absent is off.
      const seen = followNode(
        options,
        async (snapshot) => {
          if (snapshot.exists) await take(snapshot.data);
        },
        signal,
      );
      while (!(await seen.next()).done);
    },
  };
}

async function readKept(file: string): Promise<Flags | null> {
  const data = await readFile(file).catch(() => null);
  if (data === null || data.length === 0 || data.length > MAX_FLAGS_BYTES) return null;
  const { value, unreadable } = parseFlags(data);
  return unreadable === null ? value : null;
}
