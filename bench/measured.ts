import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { systemClock as clock } from '../runtime/clock.ts';

/** What one run of a program took, ms. */
export interface Took {
  readonly wallMs: number;
  /** Of it and of the children that it waited for; counted in ticks of 10 ms, so only sums over many runs mean much. */
  readonly cpuMs: number;
}

/** What Node's own start would otherwise hide: a machine's extra certificates cost every process about 30 ms. */
const { NODE_EXTRA_CA_CERTS: _certificates, NODE_OPTIONS: _options, ...environment } = process.env;

/** Runs a program to its end. @throws Error where it does not exit with 0. */
export async function runMeasured(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Took> {
  const cpuBefore = cpuOfEndedChildren();
  const started = clock.monotonic();
  const child = spawn(program, args, { cwd, env: { ...environment, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const exitCode = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  const wallMs = clock.monotonic() - started;
  if (exitCode !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${exitCode}: ${said}`);
  return { wallMs, cpuMs: cpuOfEndedChildren() - cpuBefore };
}

/**
 * Of a process, of its children that ended, and of the ones that still run, such as the gits that answer an agent's
 * questions all the time; ms.
 */
export function cpuOfAll(pid: number): number {
  const running = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  return running.reduce((sum, child) => sum + cpuOfGone(child), cpuOf(pid));
}

/** A child may end between the two looks; its parent counts it then. */
function cpuOfGone(pid: number): number {
  try {
    return cpuOfAll(pid);
  } catch {
    return 0;
  }
}

/** Of all children that ended and were waited for, ms (proc(5): cutime and cstime). */
function cpuOfEndedChildren(): number {
  return ticksToMs(statOf('self').slice(13, 15));
}

/** Of a process that runs and of its children that ended, ms (proc(5): utime, stime, cutime, cstime). */
export function cpuOf(pid: number): number {
  return ticksToMs(statOf(String(pid)).slice(11, 15));
}

function statOf(process: string): number[] {
  const text = readFileSync(`/proc/${process}/stat`, 'utf8');
  // The name in parentheses may hold blanks; what follows it starts with field 3.
  return text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
}

const ticksToMs = (ticks: readonly number[]): number => ticks.reduce((sum, one) => sum + one, 0) * 10;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

export const mean = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;
