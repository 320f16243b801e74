import { describe, expect, it } from 'vitest';
import { followTarget } from '../../../agent/coordination/target-feed.ts';
import type { Journal } from '../../../agent/state/journal.ts';
import type { Wanted } from '../../../agent/state/wanted.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { targetVersionOf } from '../../../schemas/target-version.ts';
import { znodes } from '../../../schemas/znodes.ts';
import type { NodeStat, Session } from '../../../zookeeper/session.ts';
import { doorFor } from '../../support/allowed-target.ts';
import { silentLog as log } from '../../support/log.ts';

const paths = znodes('/app');
const allow = ['https://git.example.com/'];

/** One write: its place in the order of the ensemble, and its time. */
interface Write {
  readonly mzxid: number;
  readonly mtime: number;
}

interface Config extends Write {
  /** Of an automatic rollback: the write that it takes back. */
  readonly takesBack?: Write;
  /** Where the record of the deployment that config names was made; none where it has no such record. */
  readonly recordAt?: number;
}

const versionOf = ({ mzxid, mtime }: Write) => targetVersionOf({ mzxid: BigInt(mzxid), mtime });

/** What an agent that accepted one write makes of config. */
async function judged(acceptedWrite: Write | null, config: Config): Promise<Wanted> {
  const takesBack = config.takesBack && versionOf(config.takesBack);
  const members = { url: 'https://git.example.com/shop', commitId: 'a'.repeat(40), relativePath: 'shop' };
  const data = Buffer.from(JSON.stringify({ ...members, gitfleet: { deployment: 7, takesBack } }));
  const stat = { mzxid: BigInt(config.mzxid), mtime: config.mtime } as NodeStat;
  const session = {
    async *watch() {
      yield { exists: true, data, stat };
    },
    catchUp: async () => {},
    get: async () => ({ data, stat }),
    exists: async (path: string) =>
      path === paths.deployment(7) && config.recordAt !== undefined ? { czxid: BigInt(config.recordAt) } : null,
  } as unknown as Session;
  const accepted: Journal['accepted'] = acceptedWrite && {
    targetVersion: versionOf(acceptedWrite),
    mzxid: String(acceptedWrite.mzxid),
    mtime: acceptedWrite.mtime,
  };
  const parts = { session, znodes: paths, resyncMs: 60_000, door: doorFor(allow), accepted: () => accepted };
  const heard = followTarget({ ...parts, log, clock: systemClock, random: Math.random }, new AbortController().signal);
  const { value } = await heard.next();
  return value?.wanted as Wanted;
}

const verdictOf = (wanted: Wanted) => (wanted.kind === 'refused' ? wanted.failure.code : wanted.kind);

describe('an agent that accepted one target takes config for what should run, or for older', () => {
  const accepted = { mzxid: 100, mtime: 1_000 };
  const before = { mzxid: 90, mtime: 900 };
  const person = { mzxid: 60, mtime: 1_100 };
  const rows: [string, Write | null, Config, 'target' | 'TARGET_WENT_BACK'][] = [
    ['the first target that it sees is new', null, { mzxid: 5, mtime: 50 }, 'target'],
    ['what it accepted stays accepted', accepted, accepted, 'target'],
    ['a later write is new', accepted, { mzxid: 110, mtime: 1_100 }, 'target'],
    ['a later write is new though the clock of ZooKeeper went back', accepted, { mzxid: 110, mtime: 800 }, 'target'],
    ['an earlier write of an earlier time is older', accepted, before, 'TARGET_WENT_BACK'],
    ['an earlier write of the same time is older', accepted, { mzxid: 90, mtime: 1_000 }, 'TARGET_WENT_BACK'],
    [
      'after a set-back a write of a later time is a word of a person, or of another client',
      accepted,
      person,
      'target',
    ],
    [
      'after a set-back an automatic rollback from the older target is no word of a person',
      accepted,
      { mzxid: 95, mtime: 1_100, takesBack: before, recordAt: 95 },
      'TARGET_WENT_BACK',
    ],
    [
      'nor is it where other writes have brought the order of writes beyond the one that was accepted',
      accepted,
      { mzxid: 120, mtime: 1_100, takesBack: before, recordAt: 120 },
      'TARGET_WENT_BACK',
    ],
    [
      'an automatic rollback from what a person published after the set-back is right',
      accepted,
      { mzxid: 70, mtime: 1_200, takesBack: person, recordAt: 70 },
      'target',
    ],
    [
      'an automatic rollback from what it accepted is right',
      accepted,
      { mzxid: 110, mtime: 1_100, takesBack: accepted, recordAt: 110 },
      'target',
    ],
    [
      'an automatic rollback from what came after, while it was away, is right',
      accepted,
      { mzxid: 130, mtime: 1_300, takesBack: { mzxid: 120, mtime: 1_200 }, recordAt: 130 },
      'target',
    ],
    [
      'the bytes of an old automatic rollback, set again by another client, are that client’s word',
      accepted,
      { mzxid: 120, mtime: 1_200, takesBack: before, recordAt: 95 },
      'target',
    ],
    ['the same where their record is gone', accepted, { mzxid: 120, mtime: 1_200, takesBack: before }, 'target'],
  ];

  it.each(rows)('%s', async (_, acceptedWrite, config, verdict) => {
    expect(verdictOf(await judged(acceptedWrite, config))).toBe(verdict);
  });

  it('what takesBack holds decides nothing where it is no targetVersion', async () => {
    const config = { ...before, mzxid: 120, takesBack: { mzxid: 90, mtime: -1 }, recordAt: 120 };
    expect(verdictOf(await judged(accepted, config))).toBe('target');
  });
});
