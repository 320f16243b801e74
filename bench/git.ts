import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStore } from '../git/open-store.ts';
import { createGit } from '../git/run/process.ts';
import type { Store } from '../git/store.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { createLog } from '../runtime/log.ts';
import type { CommitId, RepositoryUrl } from '../schemas/values.ts';
import { type GitDaemon, startGitDaemon } from '../test/support/git/daemon.ts';
import { startHttpsOrigin } from '../test/support/git/https-origin.ts';
import { temporaryDirectory } from '../test/support/git/origin.ts';

/**
 * What a deployment costs against what git itself needs for the same bytes: generated repositories, everything on tmpfs
 * and on the same two ends of one machine, sides in turn, medians, so ratios matter and not milliseconds.
 *
 * - first: the floor is `git archive --remote | tar`, which leaves no store behind and verifies nothing. Only git:// and
 *   ssh offer it, so all sides of that ratio come from one git daemon; ours over smart HTTP is shown beside it. The
 *   store is empty but there, and the child that reads objects runs, as in an agent that has started. Neither side
 *   waits for a disk: tar never does, our one `sync -f` has nothing to do on tmpfs.
 * - next: the floor is the very fetch that the store runs, over smart HTTP, into a store of its own. Ours contains the
 *   judgement of the content, the verification of what was written, the rename and the swap of the link; the spare was
 *   made ready before, as an agent does between deployments.
 * - rollback: a kept release compared with its commit as a whole, and the link.
 *
 * The second figure is the processor time of ours and of all processes that we waited for, servers left out.
 *
 * Run by bench/run.mjs. Arguments: numbers of files (default 200 9000 50000), `--samples=7`.
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
    print(`\n${files} files`, ['median ms', 'cpu ms', 'ratio', 'goal']);
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
  const url = daemon.url('r.git') as RepositoryUrl;
  const overGit: Bench = { ...at, url };
  const figures = new Map<string, Cost[]>();
  for (let round = 0; round < samples; round++) {
    const out = join(at.base, `first-${round}`);
    mkdirSync(out);
    const agents = ['bare', 'ours', 'http'].map((name) => anAgent(at, `${name}-${round}`));
    for (const { store } of agents) await store.recover();
    const [bare, ours, http] = agents as [Agent, Agent, Agent];
    await inTurn(figures, round, [
      ['archive | tar', async () => sh(`git archive --remote=${url} main | tar -x -C ${out}`)],
      [
        'fetch + worktree add',
        async () => {
          await bareFetch(bare, overGit, commitId);
          await addWorkTree(bare, commitId);
        },
      ],
      ['ours', () => deploy(ours, overGit, commitId)],
      ['ours over smart HTTP', () => deploy(http, at, commitId)],
    ]);
    for (const { store } of agents) store.close();
    for (const path of [out, ...agents.map((agent) => agent.base)]) rmSync(path, { recursive: true });
  }
  report('first', figures, 'archive | tar', { ours: '<= 1.6' });
}

async function addWorkTree(agent: Agent, commitId: CommitId): Promise<void> {
  const git = createGit({ clock: systemClock, log: LOG });
  const where = join(agent.base, commitId);
  await git.output(['worktree', 'add', '-q', '--detach', '--', where, commitId], { gitDir: agent.store.directory });
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
  const figures = new Map<string, Cost[]>();
  for (let round = 0; round < samples; round++) {
    const commitId = change(at, changed, round);
    await inTurn(figures, round, [
      ['the same fetch alone', () => bareFetch(floor, at, commitId)],
      ['ours, diff engine', () => deploy(engine, at, commitId)],
      ['ours, forced checkout', () => deploy(checkout, at, commitId)],
      ['pull in place', async () => sh(`git -C ${pulled} pull -q`)],
      [
        'fetch + worktree add',
        async () => {
          await bareFetch(worktree, at, commitId);
          await addWorkTree(worktree, commitId);
        },
      ],
    ]);
    await prepare(engine, commitId);
    await prepare(checkout, commitId);
    await systemClock.sleep(1_100); // Deployments are apart: git doubts what was written in the same second.
    rmSync(join(worktree.base, commitId), { recursive: true, force: true });
  }
  const small = changed === 10;
  report(name, figures, 'the same fetch alone', {
    'ours, diff engine': small ? (at.files > 20_000 ? '<= 1.6' : '<= 1.3') : '',
    'ours, forced checkout': small && at.files <= 20_000 ? '<= 1.8' : '',
  });
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
  const figures: Cost[] = [];
  for (let round = 0; round < samples; round++) {
    const to = round % 2 === 0 ? old : newer;
    figures.push(
      await cost(async () => {
        const drift = await agent.store.inspect(join(agent.releases, to), to, SIGNAL);
        if (drift.head !== to || drift.changed.length > 0) throw new Error('the kept release drifted');
        swap(agent, to);
      }),
    );
  }
  agent.store.close();
  const [ms, cpu] = medians(figures);
  print('rollback to a kept release, proved whole', [ms, cpu, '', at.files === 9_000 ? '< 50 ms' : '']);
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
  const call = { gitDir: agent.store.directory, protocols: ['http', 'git'], config: ['fetch.unpackLimit=1'] };
  await git.output(['fetch', ...flags, '--depth=1', '--', at.url, `+${commitId}:refs/pins/${commitId}`], call);
}

interface Agent {
  readonly base: string;
  readonly store: Store;
  readonly releases: string;
}

function anAgent(at: Bench, name: string, diffEngine = true): Agent {
  const base = join(at.base, name);
  const store = openStore({
    directory: join(base, 'state/store.git'),
    credentialFor: () => undefined,
    allowProtocols: ['http', 'git'],
    clock: systemClock,
    random: systemRandom,
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

interface Cost {
  readonly ms: number;
  readonly cpuMs: number;
}

type Candidate = readonly [label: string, run: () => Promise<unknown>];

/** Each once, in an order that changes from round to round. */
async function inTurn(figures: Map<string, Cost[]>, round: number, candidates: readonly Candidate[]): Promise<void> {
  for (let turn = 0; turn < candidates.length; turn++) {
    const [label, run] = candidates[(turn + round) % candidates.length] as Candidate;
    figures.set(label, [...(figures.get(label) ?? []), await cost(run)]);
  }
}

async function cost(work: () => Promise<unknown>): Promise<Cost> {
  const [started, before] = [systemClock.monotonic(), cpuMs()];
  await work();
  return { ms: systemClock.monotonic() - started, cpuMs: cpuMs() - before };
}

/** Of this process and of the children that have ended: fields 14 to 17 of proc(5), in hundredths of a second. */
function cpuMs(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
}

function report(name: string, figures: Map<string, Cost[]>, floor: string, goals: Record<string, string>): void {
  const [least] = medians(figures.get(floor) ?? []);
  const labels = [floor, ...[...figures.keys()].filter((label) => label !== floor).sort()];
  for (const label of labels) {
    const [ms, cpu] = medians(figures.get(label) ?? []);
    print(`${name}: ${label}`, [ms, cpu, ms / least, goals[label] ?? '']);
  }
}

function medians(costs: readonly Cost[]): [ms: number, cpuMs: number] {
  const middle = (figures: number[]) => figures.sort((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN;
  return [middle(costs.map(({ ms }) => ms)), middle(costs.map(({ cpuMs }) => cpuMs))];
}

function print(name: string, cells: (string | number)[]): void {
  const text = cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(cell < 10 ? 2 : 0) : cell).padStart(10));
  console.log(`${name.padEnd(46)}${text.join('')}`);
}
