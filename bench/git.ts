import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type GitStore, openStore } from '../git/open-store.ts';
import { createGit } from '../git/process.ts';
import { systemChance, systemClock } from '../runtime/clock.ts';
import { createLog } from '../runtime/log.ts';
import type { CommitId, RepositoryUrl } from '../schemas/values.ts';
import { type GitDaemon, startGitDaemon } from '../test/support/git-daemon.ts';
import { temporaryDirectory } from '../test/support/git-origin.ts';
import { startHttpsOrigin } from '../test/support/https-origin.ts';

/**
 * What a deployment costs against what git itself needs for the same bytes: generated repositories, smart HTTP on
 * loopback, everything on tmpfs and on the same machine, medians, so ratios matter and not milliseconds. The floor of a
 * next deployment is the same fetch alone; of a first one `git archive --remote | tar`, which leaves no store behind. Ours contains the verification of what
 * was written, the rename and the swap of the link.
 *
 * Run by bench/git-run.mjs. Arguments: numbers of files (default 200 9000 50000), `--samples=7`.
 */
const LOG = createLog({ level: 'silent' });
const SIGNAL = new AbortController().signal;
const WHO = ['-c', 'user.name=b', '-c', 'user.email=b@example.com'];

interface Bench {
  readonly base: string;
  readonly origin: string;
  readonly url: RepositoryUrl;
  readonly files: number;
}

const [mode, ...words] = process.argv.slice(2);
if (mode === 'serve') {
  const server = await startHttpsOrigin(words[0] ?? '');
  process.stdout.write(`${server.port}\n`);
} else {
  const all = process.argv.slice(2);
  const samples = Number(all.find((word) => word.startsWith('--samples='))?.slice('--samples='.length) ?? 7);
  const sizes = all.filter((word) => /^\d+$/.test(word)).map(Number);
  for (const files of sizes.length > 0 ? sizes : [200, 9_000, 50_000]) await bench(files, samples);
}

async function bench(files: number, samples: number): Promise<void> {
  const { path: base, remove } = temporaryDirectory('bench');
  const server = spawn(process.execPath, [fileURLToPath(import.meta.url), 'serve', join(base, 'git')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const port = await new Promise<string>((resolve) =>
      server.stdout.once('data', (data) => resolve(String(data).trim())),
    );
    const origin = join(base, 'git/r.git');
    const url = `http://127.0.0.1:${port}/r.git` as RepositoryUrl;
    const at: Bench = { base, origin, url, files };
    generate(at);
    print(`\n${files} files`, ['median ms', 'ratio', 'goal']);
    await first(at, samples);
    await next(at, samples, 10, 'next, 10 files');
    if (files >= 1_000) await next(at, Math.min(samples, 3), Math.floor(files / 10), 'next, 10 %');
    await rollback(at, samples);
  } finally {
    server.kill();
    remove();
  }
}

async function first(at: Bench, samples: number): Promise<void> {
  const commitId = tip(at);
  const daemon = await startGitDaemon(join(at.base, 'git'));
  try {
    await firstAgainst(daemon, at, commitId, samples);
  } finally {
    await daemon.stop();
  }
}

async function firstAgainst(daemon: GitDaemon, at: Bench, commitId: CommitId, samples: number): Promise<void> {
  const figures: Record<string, number[]> = {};
  for (let round = 0; round < samples; round++) {
    const out = join(at.base, `first-${round}`);
    mkdirSync(out);
    const agents = ['archive', 'bare', 'ours'].map((name) => anAgent(at, `${name}-${round}`));
    for (const { store } of agents) await store.recover();
    const [, bare, ours] = agents as [Agent, Agent, Agent];
    const candidates: [string, () => Promise<unknown>][] = [
      ['archive | tar', async () => sh(`git archive --remote=${daemon.url('r.git')} main | tar -x -C ${out}`)],
      [
        'fetch + worktree add',
        async () => {
          await bareFetch(bare, at, commitId);
          await addWorkTree(bare, commitId);
        },
      ],
      ['ours', () => deploy(ours, at, commitId)],
    ];
    for (let turn = 0; turn < candidates.length; turn++) {
      const [label, run] = candidates[(turn + round) % candidates.length] as (typeof candidates)[number];
      const list = figures[label] ?? [];
      figures[label] = list;
      list.push(await ms(run));
    }
    for (const { store } of agents) store.close();
    for (const path of [out, ...agents.map((agent) => agent.base)]) rmSync(path, { recursive: true });
  }
  const least = median(figures['archive | tar'] as number[]);
  for (const [label, list] of Object.entries(figures)) {
    print(`first: ${label}`, [median(list), median(list) / least, label === 'ours' ? '<= 1.6' : '']);
  }
}

async function addWorkTree(agent: Agent, commitId: CommitId): Promise<void> {
  const git = createGit({ clock: systemClock, log: LOG });
  const where = join(agent.base, commitId);
  await git.tell(['worktree', 'add', '-q', '--detach', '--', where, commitId], { gitDir: agent.store.directory });
}

async function next(at: Bench, samples: number, changed: number, name: string): Promise<void> {
  const start = tip(at);
  const engine = anAgent(at, 'engine');
  const checkout = anAgent(at, 'checkout', false);
  const floor = anAgent(at, 'floor');
  const worktree = anAgent(at, 'worktree');
  for (const agent of [engine, checkout, floor, worktree]) {
    await agent.store.recover();
    await agent.store.fetch({ url: at.url, commitId: start }, SIGNAL);
  }
  for (const agent of [engine, checkout]) {
    await deploy(agent, at, start);
    await prepare(agent, start);
  }
  await systemClock.sleep(1_100);
  const pulled = join(at.base, 'pulled');
  execFileSync('git', ['clone', '-q', at.url, pulled]);
  const figures: Record<string, number[]> = {};
  const candidates: [string, (commitId: CommitId) => Promise<unknown>][] = [
    ['the same fetch alone', (commitId) => bareFetch(floor, at, commitId)],
    ['ours, diff engine', (commitId) => deploy(engine, at, commitId)],
    ['ours, forced checkout', (commitId) => deploy(checkout, at, commitId)],
    ['pull in place', async () => sh(`git -C ${pulled} pull -q`)],
    [
      'fetch + worktree add',
      async (commitId) => {
        await bareFetch(worktree, at, commitId);
        await addWorkTree(worktree, commitId);
      },
    ],
  ];
  for (let round = 0; round < samples; round++) {
    const commitId = change(at, changed, round);
    for (let turn = 0; turn < candidates.length; turn++) {
      const [label, run] = candidates[(turn + round) % candidates.length] as (typeof candidates)[number];
      const list = figures[label] ?? [];
      figures[label] = list;
      list.push(await ms(() => run(commitId)));
    }
    await prepare(engine, commitId);
    await prepare(checkout, commitId);
    await systemClock.sleep(1_100); // Deployments are apart: git doubts what was written in the same second.
    rmSync(join(worktree.base, commitId), { recursive: true, force: true });
  }
  const least = median(figures['the same fetch alone'] as number[]);
  const goals: Record<string, string> = {
    'ours, diff engine': changed === 10 ? (at.files > 20_000 ? '<= 1.6' : '<= 1.3') : '',
    'ours, forced checkout': changed === 10 && at.files <= 20_000 ? '<= 1.8' : '',
  };
  for (const [label] of candidates) {
    const found = median(figures[label] as number[]);
    print(`${name}: ${label}`, [found, found / least, goals[label] ?? '']);
  }
  for (const agent of [engine, checkout, floor, worktree]) {
    agent.store.close();
    rmSync(agent.base, { recursive: true });
  }
  rmSync(pulled, { recursive: true });
}

async function rollback(at: Bench, samples: number): Promise<void> {
  const agent = anAgent(at, 'rollback');
  await agent.store.recover();
  const old = tip(at);
  await deploy(agent, at, old);
  const newer = change(at, 10, 99);
  await deploy(agent, at, newer);
  await systemClock.sleep(1_100);
  for (const commitId of [old, newer]) await agent.store.inspect(join(agent.releases, commitId), commitId, SIGNAL);
  const figures: number[] = [];
  for (let round = 0; round < samples; round++) {
    const to = round % 2 === 0 ? old : newer;
    figures.push(
      await ms(async () => {
        const drift = await agent.store.inspect(join(agent.releases, to), to, SIGNAL);
        if (drift.head !== to || drift.changed.length > 0) throw new Error('the kept release drifted');
        swap(agent, to);
      }),
    );
  }
  agent.store.close();
  print('rollback to a kept release, proved whole', [median(figures), '', at.files === 9_000 ? '< 50 ms' : '']);
}

/** The very command that the store runs, and nothing around it. */
async function bareFetch(agent: Agent, at: Bench, commitId: CommitId): Promise<void> {
  const git = createGit({ clock: systemClock, log: LOG });
  const flags = [
    '--progress',
    '--no-tags',
    '--no-write-fetch-head',
    '--no-recurse-submodules',
    '--no-auto-maintenance',
  ];
  const call = { gitDir: agent.store.directory, protocols: ['http'], config: ['fetch.unpackLimit=1'] };
  await git.tell(['fetch', ...flags, '--depth=1', '--', at.url, `+${commitId}:refs/pins/${commitId}`], call);
}

interface Agent {
  readonly base: string;
  readonly store: GitStore;
  readonly releases: string;
}

function anAgent(at: Bench, name: string, diffEngine = true): Agent {
  const base = join(at.base, name);
  const store = openStore({
    directory: join(base, 'state/store.git'),
    credentials: [],
    allowProtocols: ['http'],
    clock: systemClock,
    chance: systemChance,
    log: LOG,
    diffEngine,
  });
  return { base, store, releases: join(base, 'root/.gitfleet/app/releases') };
}

async function deploy(agent: Agent, at: Bench, commitId: CommitId): Promise<void> {
  const spare = agent.store.spare(join(agent.base, 'root/.gitfleet/app/spare'));
  await agent.store.fetch({ url: at.url, commitId }, SIGNAL);
  await spare.write(commitId, SIGNAL);
  await spare.verify(commitId, SIGNAL);
  await spare.moveTo(join(agent.releases, commitId));
  swap(agent, commitId);
}

/** What a real agent does in the background after a deployment. */
async function prepare(agent: Agent, commitId: CommitId): Promise<void> {
  const spare = agent.store.spare(join(agent.base, 'root/.gitfleet/app/spare'));
  const old = execFileSync('ls', ['-t', agent.releases], { encoding: 'utf8' }).trim().split('\n').at(-1);
  if (old !== undefined && old !== commitId) await spare.takeOver(join(agent.releases, old));
  await spare.write(commitId, SIGNAL);
  await spare.verify(commitId, SIGNAL);
}

function swap(agent: Agent, commitId: CommitId): void {
  const link = join(agent.base, 'root/web');
  symlinkSync(join('.gitfleet/app/releases', commitId), `${link}.new`);
  renameSync(`${link}.new`, link);
}

function generate(at: Bench): void {
  const work = join(at.base, 'work');
  mkdirSync(join(at.base, 'git'), { recursive: true });
  for (let file = 0; file < at.files; file++) {
    const path = pathOf(at, file);
    mkdirSync(join(work, path, '..'), { recursive: true });
    const line = `line ${file * 7} ${Math.sin(file)} of a generated file\n`;
    writeFileSync(join(work, path), `// ${file}\n${line.repeat(5 + (file % 30))}`);
  }
  sh(`cd ${work} && git init -q -b main && git add -A && git ${WHO.join(' ')} commit -q -m first`);
  sh(
    `git clone -q --bare ${work} ${at.origin} && git -C ${at.origin} repack -adq && git -C ${work} remote add origin ${at.origin}`,
  );
}

function pathOf(at: Bench, file: number): string {
  return `d${file % Math.ceil(Math.sqrt(at.files) / 2)}/e${file % 7}/f${file}.js`;
}

/** A commit on top that changes so many files, spread over the tree. */
function change(at: Bench, files: number, round: number): CommitId {
  const work = join(at.base, 'work');
  for (let count = 0; count < files; count++) {
    const file = Math.floor((count * at.files) / files);
    writeFileSync(join(work, pathOf(at, file)), `// ${file} in round ${round}, ${Math.random()}\n`.repeat(20));
  }
  sh(`cd ${work} && git ${WHO.join(' ')} commit -q -a -m change && git push -q origin main`);
  return tip(at);
}

function tip(at: Bench): CommitId {
  return execFileSync('git', [`--git-dir=${at.origin}`, 'rev-parse', 'main'], { encoding: 'utf8' }).trim() as CommitId;
}

function sh(script: string): void {
  execFileSync('sh', ['-c', script], { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function ms(work: () => Promise<unknown>): Promise<number> {
  const started = systemClock.monotonic();
  await work();
  return systemClock.monotonic() - started;
}

function median(figures: number[]): number {
  return [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN;
}

function print(name: string, cells: (string | number)[]): void {
  const text = cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(cell < 10 ? 2 : 0) : cell).padStart(10));
  console.log(`${name.padEnd(46)}${text.join('')}`);
}
