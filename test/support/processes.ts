import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process as anybody on the machine (command) or its own user (environment) sees it; NUL stands between the words. */
export interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  /** Ticks since the machine started: with the pid it names one process for ever. */
  readonly startedAt: string;
  readonly command: string;
  readonly environment: string;
}

interface ProcessWatch {
  /** What was seen so far, each process once per command line. */
  readonly seen: readonly SeenProcess[];
  /** Of all that was seen, what lives now, wherever it hangs in the tree of processes meanwhile. */
  alive(): SeenProcess[];
  stop(): void;
}

/** Looks at a process and all below it again and again, until stopped. What lives shorter than that may be missed. */
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

/** Every process that hangs below this one now. */
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

/** Null when it is gone; a zombie is gone too: only its parent's wait is missing. */
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
