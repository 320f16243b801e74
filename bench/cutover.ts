import { type ChildProcess, spawn } from 'node:child_process';
import { lstatSync, mkdirSync, openSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readDeployment } from '../fleet/history.ts';
import { systemClock as clock, systemRandom as random } from '../runtime/clock.ts';
import { createLog } from '../runtime/log.ts';
import type { SwapSpread } from '../schemas/records/cutover.ts';
import { parseRollout } from '../schemas/rollout.ts';
import { znodes } from '../schemas/znodes.ts';
import { createOrigin, temporaryDirectory } from '../test/support/git/origin.ts';
import { findDistribution, startServers } from '../zookeeper/local/servers.ts';
import { openSession } from '../zookeeper/open-session.ts';
import type { Session } from '../zookeeper/session.ts';
import { median, runMeasured } from './measured.ts';

/**
 * How close together the agents of a cutover swap (`policy.cutover: together`): from the earliest to the latest link of
 * each round, by the kernel's time of the swap (ctime) and by what the agents report. Everything is on this machine, one
 * ZooKeeper; the first round only warms up. What it does not show: clocks of several machines, which the reports bound.
 *
 * Arguments: the number of agents (default 20), `--rounds=20`.
 */
const ROUNDS = Number(process.argv.find((arg) => arg.startsWith('--rounds='))?.slice('--rounds='.length) ?? 20);
const COUNT = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? 20);
const MAIN = join(process.cwd(), 'dist/cli/main.cjs');
const APP = '/app/bench';
const GOAL_MS = 250;

async function measure(connect: string): Promise<void> {
  const { path: directory, remove } = temporaryDirectory('bench-cutover');
  const session = openSession({ connect, defaultAcl: 'open', clock, random, log: createLog({ level: 'silent' }) });
  const here = ['-z', connect, '--app', APP];
  const run = (...args: string[]) => runMeasured(process.execPath, [MAIN, ...args, ...here], directory);
  const children: ChildProcess[] = [];
  try {
    const origin = createOrigin(join(directory, 'shop.git'));
    await run('init', '--open');
    const roots = Array.from({ length: COUNT }, (_, at) => join(directory, `agent-${at}`, 'root'));
    for (const [at, root] of roots.entries()) children.push(start(at, root, here));
    await until(async () => (await session.children(znodes(APP).online))?.length === COUNT);
    writeFileSync(join(directory, 'policy.yml'), 'cutover: together\n');
    await run('policy', 'set', join(directory, 'policy.yml'));
    const kernel: number[] = [];
    const reports: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const commitId = origin.commit({ page: `round ${round}\n` });
      await run('publish', commitId, '--url', origin.url, '--relative-path', 'shop', '--no-check');
      if (!roots.every((root) => basename(readlinkSync(join(root, 'shop'))) === commitId)) throw new Error('not all');
      const times = roots.map((root) => lstatSync(join(root, 'shop')).ctimeMs);
      if (round === 0) continue;
      kernel.push(Math.max(...times) - Math.min(...times));
      const told = await spreadOfNow(session);
      reports.push(told.spreadMs ?? Number.NaN);
      console.log(`round ${round}: kernel ${kernel.at(-1)?.toFixed(1)} ms, reports ${JSON.stringify(told)}`);
    }
    print(kernel, reports);
  } finally {
    await Promise.all(children.map(end));
    await session.close();
    remove();
  }
}

function start(at: number, root: string, here: readonly string[]): ChildProcess {
  mkdirSync(root, { recursive: true });
  const log = openSync(join(root, '..', 'agent.log'), 'a');
  const args = ['agent', 'run', '--id', `web-${at}`, '--root', root, '--state', join(root, '..', 'state')];
  return spawn(process.execPath, [MAIN, ...args, '--allow-url', 'file:///', ...here], { stdio: ['ignore', log, log] });
}

async function spreadOfNow(session: Session): Promise<SwapSpread> {
  const paths = znodes(APP);
  const node = await session.get(paths.rollout);
  const number = (node && parseRollout(node.data)?.deployment) ?? 0;
  const spread = (await readDeployment(session, paths, number))?.outcome?.cutover;
  if (!spread) throw new Error('the outcome has no spread');
  return spread;
}

async function until(fits: () => Promise<boolean>): Promise<void> {
  while (!(await fits())) await clock.sleep(100);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}

function print(kernel: readonly number[], reports: readonly number[]): void {
  console.log(
    `\n${COUNT} agents, ${ROUNDS} rounds; from the earliest to the latest swap, ms (goal: p99 below ${GOAL_MS})\n`,
  );
  for (const [name, figures] of [['by the kernel', kernel] as const, ['by the reports', reports] as const]) {
    const sorted = figures.toSorted((a, b) => a - b);
    const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN;
    console.log(`${name.padEnd(16)} median ${median([...figures]).toFixed(1)}, p99 ${p99.toFixed(1)}`);
  }
}

const { ZOOKEEPER_HOME, JAVA_HOME, PATH } = process.env;
const distribution = await findDistribution({ ZOOKEEPER_HOME, JAVA_HOME, PATH });
if ('missing' in distribution) throw new Error(distribution.missing);
const { path, remove } = temporaryDirectory('bench-cutover-zookeeper');
const servers = await startServers({ count: 1, distribution, directory: join(path, 'zookeeper'), clock });
try {
  await measure(servers.connectString);
} finally {
  await servers.stop();
  remove();
}
