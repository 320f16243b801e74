import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAccess } from '../fleet/access.ts';
import { initApp } from '../fleet/app.ts';
import { changeFlag, forgetOldestChanges } from '../fleet/flags/change-flags.ts';
import { withFlag } from '../fleet/flags/edit.ts';
import { evaluate } from '../fleet/flags/evaluate.ts';
import { systemClock as clock, systemRandom as random } from '../runtime/clock.ts';
import { createLog } from '../runtime/log.ts';
import { MAX_FLAGS_BYTES, parseFlags } from '../schemas/flags.ts';
import { znodes } from '../schemas/znodes.ts';
import { findDistribution, startServers } from '../zookeeper/local/servers.ts';
import { openSession } from '../zookeeper/open-session.ts';
import { followNode } from '../zookeeper/recipes/follow-node.ts';
import type { Session } from '../zookeeper/session.ts';

/**
 * A flip of one flag on its way to the processes that follow the flags: from before `gitfleet flag set` reads the
 * document to the moment when a process, told by its watch, has read, parsed and evaluated the new one. Each process is
 * a session of its own; all of them are in this one and share its processor, and the servers are on the same machine
 * and do not wait for a disk. The file of an agent and the start of a command are not part of it.
 *
 * Arguments: `--sessions=200 --rounds=50 --flags=100 --servers=1`. Exits 1 where the goal is missed.
 */
const GOAL_MS = 250;
const wanted = (name: string, or: number) =>
  Number(process.argv.find((arg) => arg.startsWith(`--${name}=`))?.split('=')[1] ?? or);
const SESSIONS = wanted('sessions', 200);
const ROUNDS = wanted('rounds', 50);
const FLAGS = wanted('flags', 100);
const SERVERS = wanted('servers', 1) === 3 ? 3 : 1;
const FLAG = 'checkout';
const BETWEEN_MS = 50;
/** Flips before the measured ones: processes that follow flags have run for a while. */
const WARM_UP = 5;
const log = createLog({ level: 'silent' });
const paths = znodes('/app/bench');

/** What each process does with its session; `seen` is told of each value of the flag that it then has. */
async function follow(session: Session, seen: (value: unknown) => void, signal: AbortSignal): Promise<void> {
  const options = { session, path: paths.flags, failing: 'cannot read the flags', clock, random, log };
  const values = followNode(
    options,
    (snapshot) => snapshot.exists && evaluate(parseFlags(snapshot.data).value, FLAG).value,
    signal,
  );
  for await (const value of values) seen(value);
}

const document = () => {
  const variants = { on: true, off: false };
  const flag = { state: 'ENABLED', variants, defaultVariant: 'off', targeting: {} };
  const names = [FLAG, ...Array.from({ length: FLAGS - 1 }, (_, at) => `flag-${at}`)];
  return Buffer.from(JSON.stringify({ flags: Object.fromEntries(names.map((name) => [name, flag])) }));
};

async function measure(connect: string): Promise<void> {
  const open = () => openSession({ connect, sessionTimeoutMs: 15_000, defaultAcl: 'open', clock, random, log });
  const writer = open();
  await initApp(writer, paths, openAccess);
  const data = document();
  if (data.length > MAX_FLAGS_BYTES) throw new Error(`${FLAGS} flags are too many for one document`);
  await writer.set(paths.flags, data, -1);

  const sessions = Array.from({ length: SESSIONS }, open);
  const stop = new AbortController();
  let round = { value: false, start: 0, took: [] as number[], all: () => {} };
  const flipTo = (value: boolean) =>
    new Promise<void>((all) => {
      round = { value, start: clock.monotonic(), took: [], all };
    });
  const first = flipTo(false);
  const following = sessions.map((session) =>
    follow(
      session,
      (value) => {
        if (value !== round.value) return;
        if (round.took.push(clock.monotonic() - round.start) === SESSIONS) round.all();
      },
      stop.signal,
    ),
  );
  await first;

  const [each, last]: [number[], number[]] = [[], []];
  const parts = { session: writer, znodes: paths, access: openAccess, now: () => clock.now() };
  for (let at = 1 - WARM_UP; at <= ROUNDS; at++) {
    const variant = at % 2 === 0 ? 'on' : 'off';
    const all = flipTo(variant === 'on');
    await changeFlag(parts, {
      ...{ flag: FLAG, by: 'bench', reason: '', via: 'set' as const },
      edit: (flags) => withFlag(flags, FLAG, { kind: 'variant', variant }),
    });
    await all;
    if (at > 0) {
      each.push(...round.took);
      last.push(Math.max(...round.took));
    }
    await forgetOldestChanges(parts);
    await clock.sleep(BETWEEN_MS);
  }
  stop.abort();
  await Promise.all(following);
  await Promise.all([writer, ...sessions].map((session) => session.close()));
  print(data.length, each, last);
}

const percentile = (values: readonly number[], percent: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil((values.length * percent) / 100) - 1] as number;

function print(bytes: number, each: readonly number[], last: readonly number[]): void {
  const figures = (values: readonly number[]) =>
    [50, 99].map((percent) => `p${percent} ${percentile(values, percent).toFixed(1)} ms`).join('  ');
  const what = `${FLAGS} flags in ${(bytes / 1_024).toFixed(1)} KB, ${ROUNDS} flips, ${SERVERS} server(s)`;
  console.log(`\n${SESSIONS} sessions, ${what}\n`);
  console.log(`a flip at one process:    ${figures(each)}`);
  console.log(`a flip at the last one:   ${figures(last)}`);
  const met = percentile(each, 99) < GOAL_MS;
  console.log(`\ngoal: p99 below ${GOAL_MS} ms: ${met ? 'met' : 'missed'}`);
  if (!met) process.exitCode = 1;
}

const { ZOOKEEPER_HOME, JAVA_HOME, PATH } = process.env;
const distribution = await findDistribution({ ZOOKEEPER_HOME, JAVA_HOME, PATH });
if ('missing' in distribution) throw new Error(distribution.missing);
const directory = await mkdtemp(join(tmpdir(), 'gitfleet-bench-flags-'));
const servers = await startServers({ count: SERVERS, distribution, directory, clock });
try {
  await measure(servers.connectString);
} finally {
  await servers.stop();
  await rm(directory, { recursive: true, force: true });
}
