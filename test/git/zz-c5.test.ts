import { readdirSync, appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'vitest';
import type { CommitId } from '../../schemas/values.ts';
import { createOrigin, temporaryDirectory } from '../support/git/origin.ts';
import { aStore } from './test-store.ts';

const OUT = '/tmp/gitarea/c5/out.txt';
const say = (text: string) => appendFileSync(OUT, `${new Date().toISOString()} ${text}\n`);
it('c5', { timeout: 3_600_000 }, async () => {
  const { path: base } = temporaryDirectory('c5');
  const origin = createOrigin(join(base, 'origin.git'));
  const files: Record<string, string> = {};
  const N = Number(process.env['C5_FILES'] ?? 200);
  for (let i = 0; i < N; i++) files[`d${i % 10}/f${Math.floor(i / 10)}.txt`] = `first ${i}\n`.repeat(1 + (i % 50));
  origin.commit(files);
  const r = Math.random;
  const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));
  const warns: string[] = [];
  const log = { trace() {}, debug() {}, info() {}, warn: (f: unknown, m: string) => { warns.push(m); say(`warn ${m} ${String((f as {error?: Error}).error ?? '')}`); }, error() {}, child() { return log; } };
  const store = await aStore(base, { log: log as never, failpoint: async () => { if (r() < 0.2) await sleep(r() * 40); } });
  const app = join(base, 'root/.gitfleet/shop');
  const releases = join(app, 'releases');
  const spare = store.spare(join(app, 'spare'));
  const list = () => { try { return readdirSync(releases).filter((n) => !n.startsWith('.')); } catch { return []; } };
  const times = new Map<string, number>();
  let mismatches = 0;
  const rounds = Number(process.env['C5_ROUNDS'] ?? 400);
  for (let k = 0; k < rounds; k++) {
    const change: Record<string, string | null> = { 'd0/f0.txt': `${k}\n` };
    if (r() < 0.3) change[`d${Math.floor(r() * 10)}/f${Math.floor(r() * N / 10)}.txt`] = r() < 0.2 ? null : `x${k}`;
    if (r() < 0.05) for (let i = 0; i < N; i++) change[`d${i % 10}/f${Math.floor(i / 10)}.txt`] = `all ${k} ${i}\n`;
    const back = r() < 0.1 && list().length > 1 ? list()[Math.floor(r() * list().length)] : undefined;
    const commit = (back ?? origin.commit(change)) as CommitId;
    const deploy = new AbortController();
    const cut = r() < 0.15 ? setTimeout(() => deploy.abort(), r() * 150) : null;
    let ok = false;
    for (let tries = 0; tries < 5 && !ok; tries++) {
      const signal = tries === 0 ? deploy.signal : new AbortController().signal;
      try {
        await store.fetch({ url: origin.url, commitId: commit }, signal);
        if (!list().includes(commit)) {
          if ((await spare.proved()) !== commit) { await spare.write(commit, signal); await spare.verify(commit, signal); }
          await spare.moveTo(join(releases, commit));
        } else {
          const d = await store.inspect(join(releases, commit), commit, signal);
          if (d.changed.length + d.missing.length > 0 || d.head !== commit) say(`KEPT DRIFT ${JSON.stringify(d)}`);
        }
        ok = true;
      } catch (error) {
        const e = error as { code?: string; message: string; name: string };
        if (e.name === 'AbortError') continue;
        say(`deploy ${k} try ${tries}: ${e.code} ${e.message}`);
        if (e.code === 'TREE_MISMATCH') mismatches++;
      }
    }
    if (cut) clearTimeout(cut);
    times.set(commit, Date.now());
    // maintenance until interrupted
    const interrupt = new AbortController();
    const ms = r() < 0.3 ? r() * 1600 : r() * 200;
    const timer = setTimeout(() => interrupt.abort(), ms);
    try {
      if (r() < 0.5) await store.inspect(join(releases, commit), commit, interrupt.signal);
      const old = list().filter((n) => n !== commit && Date.now() - (times.get(n) ?? 0) > 300).sort((a, b) => (times.get(a) ?? 0) - (times.get(b) ?? 0));
      if (old.length > 2 && !interrupt.signal.aborted) {
        if ((await spare.proved()) !== commit) { await spare.takeOver(join(releases, old[0] as string)); await store.unpin(old[0] as CommitId); }
        else { await store.removeWorkTree(join(releases, old[0] as string)); await store.unpin(old[0] as CommitId); }
      }
      if (!interrupt.signal.aborted && (await spare.proved()) !== commit) { await spare.write(commit, interrupt.signal); await spare.verify(commit, interrupt.signal); }
      await sleep(r() < 0.5 ? 0 : Math.max(0, ms - 20) * r());
    } catch (error) {
      const e = error as { code?: string; message: string; name: string };
      if (e.name !== 'AbortError') say(`maintenance ${k}: ${e.code} ${e.message}`);
      if (e.code === 'TREE_MISMATCH') mismatches++;
    }
    clearTimeout(timer);
    if (k % 50 === 0) say(`round ${k} mismatches ${mismatches}`);
  }
  say(`done ${rounds} mismatches ${mismatches}`);
  store.close();
});
