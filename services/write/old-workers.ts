import { readFile } from 'node:fs/promises';
import type { Clock } from '../../runtime/clock.ts';

/**
 * nginx and HAProxy reload with new workers beside the old ones, which finish their requests with the old list. The
 * list is applied once the old workers are gone.
 */
export async function workersOf(pidFile: string): Promise<number[]> {
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).trim().split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 0) return [];
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const workers = children.split(' ').filter(Boolean).map(Number);
  // A program without a master is its own only worker.
  return workers.length > 0 ? workers : [pid];
}

const LOOK_MS = 20;

/** Whether all of them ended in time. */
export async function untilWorkersGone(
  workers: readonly number[],
  withinMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  const end = clock.monotonic() + withinMs;
  for (;;) {
    const running = await Promise.all(workers.map(isRunning));
    if (!running.includes(true)) return true;
    if (clock.monotonic() > end) return false;
    await clock.sleep(LOOK_MS, signal);
  }
}

/** A zombie has ended; its parent has only not collected it yet. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return false;
  const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  return state !== 'Z' && state !== 'X';
}
