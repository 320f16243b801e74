import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import type { Clock } from '../../runtime/clock.ts';

/**
 * Git children survive an agent that is killed: they hold the state lock and write into the store. Each child starts
 * with two environment variables that name its store and its agent. So a successor finds all of them, including
 * grandchildren, without a gap between start and record, and without confusion by reused process ids. Children of a
 * live agent are never touched. Needs /proc (Linux); elsewhere nothing is found, and the lock keeps the successor
 * waiting.
 */
export function marksOf(store: string): Record<string, string> {
  return { GITFLEET_STORE: store, GITFLEET_OWNER: `${process.pid}.${startOf(readStat('self')) ?? 0}` };
}

/**
 * Kills the orphans of the store at `within`, or of all stores below it, and waits for them to end, for at most 100
 * rounds of 10 ms. Call it also before taking the state lock, which a dead agent's children may hold. @returns how many
 * were killed.
 */
export async function endOrphans(within: string, clock: Clock): Promise<number> {
  const ended = new Set<number>();
  for (let round = 0; round < 100; round++) {
    const found = await orphansOf(within);
    if (found.length === 0) break;
    for (const pid of found) {
      ended.add(pid);
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    await clock.sleep(10);
  }
  return ended.size;
}

async function orphansOf(within: string): Promise<number[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found: number[] = [];
  for (const pid of pids) {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (!environment.includes('GITFLEET_STORE=')) continue;
    const variables = environment.split('\0');
    const store = variables.find((variable) => variable.startsWith('GITFLEET_STORE='))?.slice('GITFLEET_STORE='.length);
    if (store !== within && !store?.startsWith(`${within}/`)) continue;
    const owner = variables.find((variable) => variable.startsWith('GITFLEET_OWNER='))?.slice('GITFLEET_OWNER='.length);
    if (owner !== undefined && !isAlive(owner)) found.push(Number(pid));
  }
  return found;
}

/** Names one process uniquely, even if its id is reused; null if it is gone or there is no /proc. */
export function nameOfProcess(pid: number): string | null {
  const start = startOf(readStat(String(pid)));
  return start === null ? null : `${pid}.${start}`;
}

function isAlive(owner: string): boolean {
  const [pid = '', start] = owner.split('.');
  return /^\d+$/.test(pid) && startOf(readStat(pid)) === start;
}

function readStat(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return '';
  }
}

/**
 * Field 22 of proc(5); null for a zombie. The name in field 2 may contain anything, so count from its closing bracket.
 */
function startOf(stat: string): string | null {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? null : (fields[19] ?? null);
}
