import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { processesBelow } from '../processes.ts';

/*
 * Set-up of every test file: fails a test that leaves something running: a timer, a socket (and so a session), a
 * server, a child process. In the quick lane it checks each test; otherwise each file, because there a server or a
 * fleet may serve all its tests. Set-up files come first, so what they do after a test comes last: the file's own hooks
 * have closed what they opened by then.
 */
const QUICK_LANE = process.env['VITEST_LANE'] === 'quick';

/** For what may take a moment to end: a killed child, a socket whose other end must be told. */
const PATIENCE_MS = 10_000;

/** Node's names for what a test must end itself. Timers are counted separately, because Vitest has some of its own. */
const HANDLES = ['TCPSocketWrap', 'TCPServerWrap', 'TLSWrap', 'PipeWrap', 'UDPWrap', 'FSEventWrap'];

interface LiveTimer {
  readonly madeAt: string;
  /** Fired or cleared. */
  readonly _destroyed: boolean;
  hasRef(): boolean;
}

/** Timers of tests and sources: Vitest took its own timer functions before this file was loaded. */
const timers = watchTimers();

function watchTimers(): Set<LiveTimer> {
  const worker = globalThis as { timersOfTests?: Set<LiveTimer> };
  if (worker.timersOfTests) return worker.timersOfTests;
  const made = new Set<LiveTimer>();
  worker.timersOfTests = made;
  for (const name of ['setTimeout', 'setInterval'] as const) {
    const original = globalThis[name] as (...args: unknown[]) => object;
    const watched = (...args: unknown[]) => {
      const timer = original(...args);
      const madeAt = new Error().stack?.split('\n').slice(2, 5).join('\n') ?? '';
      made.add(Object.assign(timer, { madeAt }) as LiveTimer);
      return timer;
    };
    Object.assign(globalThis, { [name]: Object.defineProperties(watched, Object.getOwnPropertyDescriptors(original)) });
  }
  return made;
}

type Census = ReadonlyMap<string | LiveTimer, number>;

function census(): Census {
  const counts = new Map<string | LiveTimer, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (HANDLES.includes(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  for (const timer of timers) {
    if (timer._destroyed) timers.delete(timer);
    else if (timer.hasRef()) counts.set(timer, 1);
  }
  // The quick lane starts none, and listing all of the machine's takes longer than most of its tests.
  for (const { pid, command } of QUICK_LANE ? [] : processesBelow(process.pid)) {
    counts.set(`process ${pid}: ${command.replaceAll('\0', ' ').slice(0, 200)}`, 1);
  }
  return counts;
}

function more(before: Census, now: Census): string[] {
  return [...now].flatMap(([what, count]) => {
    const extra = count - (before.get(what) ?? 0);
    if (extra <= 0) return [];
    return [typeof what === 'string' ? `${extra} x ${what}` : `a timer, made\n${what.madeAt}`];
  });
}

async function expectNothingLeft(before: Census, by: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  let left = more(before, census());
  while (left.length > 0 && performance.now() < end) {
    await new Promise<void>((resolve) => setTimeout(resolve, 20));
    left = more(before, census());
  }
  expect(left, `left behind by ${by}`).toEqual([]);
}

let before: Census = new Map();
const takeCensus = () => {
  before = census();
};
if (QUICK_LANE) {
  beforeEach(takeCensus);
  afterEach(({ task }) => expectNothingLeft(before, task.name));
} else {
  beforeAll(takeCensus);
  afterAll(() => expectNothingLeft(before, 'this file'));
}
