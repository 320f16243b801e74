import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process as everyone on the machine (command) or its own user (environment) sees it; words are separated by NUL. */
export interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  /** Ticks since the machine started: with the pid, it identifies one process for ever. */
  readonly startedAt: string;
  readonly command: string;
  readonly environment: string;
}

interface ProcessWatch {
  /** The processes seen so far, each once per command line. */
  readonly seen: readonly SeenProcess[];
  /** Those of them that are alive now, wherever they are in the process tree by now. */
  alive(): SeenProcess[];
  stop(): void;
}

/**
 * Looks at a process and all below it repeatedly, until stopped. Processes that live shorter than the interval may be
 * missed.
 */
export function watchProcesses(root: number, everyMs: number): ProcessWatch {
  const seen = new Map<string, SeenProcess>();
  const look = () => {
    const all = new Map(pids().flatMap((pid) => [[pid, standing(pid)] as const]));
    for (const [pid, found] of all) {
      if (!found || !isBelow(pid, root, all)) continue;
      const known = { pid, ...found, command: read(pid, 'cmdline'), environment: read(pid, 'environ') };
      seen.set(`${pid} ${found.startedAt} ${known.command}`, known);
    }
  };
  look();
  const timer = setInterval(look, everyMs);
  return {
    get seen() {
      return [...seen.values()];
    },
    alive: () => [...seen.values()].filter(isAlive),
    stop: () => clearInterval(timer),
  };
}

export const isAlive = ({ pid, startedAt }: SeenProcess): boolean => standing(pid)?.startedAt === startedAt;

/** Every process of this machine that works in a directory or below it, or names it on its command line. */
export function processesIn(directory: string): SeenProcess[] {
  return pids().flatMap((pid) => {
    const found = standing(pid);
    const [command, environment] = [read(pid, 'cmdline'), read(pid, 'environ')];
    const mentions = command.includes(directory) || environment.includes(directory) || cwd(pid).startsWith(directory);
    return found && mentions ? [{ pid, ...found, command, environment }] : [];
  });
}

/** Every process that is below this one now. */
export function processesBelow(root: number): SeenProcess[] {
  const all = new Map(pids().flatMap((pid) => [[pid, standing(pid)] as const]));
  return [...all].flatMap(([pid, found]) =>
    found && pid !== root && isBelow(pid, root, all)
      ? [{ pid, ...found, command: read(pid, 'cmdline'), environment: '' }]
      : [],
  );
}

interface Standing {
  readonly parent: number;
  readonly startedAt: string;
}

function isBelow(pid: number, root: number, all: ReadonlyMap<number, Standing | null>): boolean {
  for (let at: number | undefined = pid; at; at = all.get(at)?.parent) if (at === root) return true;
  return false;
}

const pids = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger);

/** Null if it is gone. A zombie is gone too: its parent has only not collected it. */
function standing(pid: number): Standing | null {
  const stat = read(pid, 'stat');
  const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startedAt = rest[17];
  return startedAt === undefined || state === 'Z' || state === 'X' ? null : { parent: Number(parent), startedAt };
}

function cwd(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

function read(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch {
    return '';
  }
}
