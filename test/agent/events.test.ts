import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { NOTHING_VIEWED } from '../../agent/coordination/clearance.ts';
import { layoutOf } from '../../agent/disk/layout.ts';
import { type AgentListener, createEmit } from '../../agent/events.ts';
import { type Memory, type ReconcileParts, reconcileOnce } from '../../agent/reconcile.ts';
import { logDeployments } from '../../agent/service/deployment-log.ts';
import { NO_ROTATION } from '../../agent/services/rotation.ts';
import { NOTHING_ACCEPTED } from '../../agent/state/accepted.ts';
import { emptyJournal, type Journal } from '../../agent/state/journal.ts';
import { nothingHeard, type TargetHeard } from '../../agent/state/wanted.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { TargetVersion } from '../../schemas/values.ts';

/** What is logged: the level, the words. */
function noted() {
  const lines: string[] = [];
  const line = (level: string) => (_: unknown, words: string) => void lines.push(`${level} ${words}`);
  return { lines, log: { info: line('info'), warn: line('warn'), error: line('error') } as unknown as Logger };
}

const throws = () => {
  throw new Error('the metrics registry is gone');
};
/** Throws at whatever it hears. */
const broken: AgentListener = { rest: throws, working: throws, done: throws, failed: throws, begun: throws };

async function passes(heard: TargetHeard, count: number) {
  const root = await mkdtemp(join(tmpdir(), 'gitfleet-events-'));
  onTestFinished(() => rm(root, { recursive: true }));
  const layout = layoutOf(join(root, 'root'), join(root, 'state'), '/app');
  for (const directory of [layout.releases, layout.appState]) await mkdir(directory, { recursive: true });
  const { lines, log } = noted();
  const heardRests: string[] = [];
  let journal: Journal = emptyJournal;
  const after: AgentListener = { rest: ({ because }) => void heardRests.push(because.kind) };
  const parts = {
    ...{ layout, clock, log, random: () => 0.5, resyncMs: 1_000, failpoint: () => {} },
    journal: () => journal,
    async remember(change: (before: Journal) => Journal) {
      journal = change(journal);
    },
    accepted: () => NOTHING_ACCEPTED,
    rememberAccepted: async () => {},
    renewLock: async () => {},
    blocked: () => null,
    rotation: NO_ROTATION,
    joinedAt: () => undefined,
    emit: createEmit({ metrics: broken, after, log: logDeployments(log) }, log),
  } as unknown as ReconcileParts;
  const healthWatch = { over: () => null, run: async () => {} };
  const memory: Memory = {
    ...{ heard, wanted: heard.wanted, view: NOTHING_VIEWED, healthWatch, checked: null, nextTry: { at: 0 } },
  };
  const never = new AbortController().signal;
  const waits: (number | null)[] = [];
  for (let pass = 0; pass < count; pass += 1)
    waits.push(await reconcileOnce(parts, memory, { interrupt: never, stop: never }));
  return { waits, lines, heardRests };
}

const failure = { code: 'NOT_ALLOWED', reason: 'another url', hint: '', next: 'stall' } as const;
const refused: TargetHeard = {
  wanted: { kind: 'refused', targetVersion: '5.100' as TargetVersion, failure },
  write: { mzxid: 5n, mtime: 100 },
};

it('a listener that throws fails no pass, keeps no other from hearing, and is named once', async () => {
  const { waits, lines, heardRests } = await passes(refused, 3);
  expect(waits).toEqual([1_000, 1_000, 1_000]);
  expect(heardRests).toEqual(['failed', 'failed', 'failed']);
  expect(lines.filter((line) => line.includes('metrics failed at an event'))).toHaveLength(1);
  expect(lines.filter((line) => line.includes('target refused'))).toHaveLength(1);
});

it('a rest that does not change is logged once', async () => {
  const { lines } = await passes(nothingHeard('a first target in /app/config'), 3);
  expect(lines.filter((line) => line === 'info waiting for a first target in /app/config')).toHaveLength(1);
});

it('what cannot be deleted is named once, until that changes', () => {
  const { lines, log } = noted();
  const emit = createEmit({ log: logDeployments(log) }, log);
  for (const paths of [[], ['/r/a'], ['/r/a'], ['/r/a', '/r/b'], []]) emit('undeletable', { paths });
  expect(lines.filter((line) => line.includes('cannot be deleted'))).toHaveLength(2);
});
