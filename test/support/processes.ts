import { readdirSync, readFileSync } from 'node:fs';

/** A process as anybody on the machine (command) or its own user (environment) sees it; NUL stands between the words. */
export interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  readonly environment: string;
}

/** All processes of this machine that can be read at this instant. */
export function processes(): SeenProcess[] {
  return pids().flatMap((pid) => {
    const parent = parentOf(pid);
    return parent === null ? [] : [{ pid, parent, command: read(pid, 'cmdline'), environment: read(pid, 'environ') }];
  });
}

/** The processes that have this word, such as `TMPDIR=/tmp/x`, in their environment: all of one run and its children. */
export function processesWith(variable: string): SeenProcess[] {
  return processes().filter(({ environment }) => environment.split('\0').includes(variable));
}

export interface Watch {
  /** What was seen so far, each process once per command line. */
  readonly seen: readonly SeenProcess[];
  stop(): void;
}

/** Looks at a process and all below it every few milliseconds, until stopped. */
export function watchProcesses(root: number): Watch {
  const seen = new Map<string, SeenProcess>();
  const look = () => {
    const parents = new Map(pids().map((pid) => [pid, parentOf(pid)]));
    for (const pid of parents.keys()) {
      if (!isBelow(pid, root, parents)) continue;
      const found = {
        pid,
        parent: parents.get(pid) ?? 0,
        command: read(pid, 'cmdline'),
        environment: read(pid, 'environ'),
      };
      seen.set(`${pid} ${found.command}`, found);
    }
  };
  const timer = setInterval(look, 3);
  return {
    get seen() {
      return [...seen.values()];
    },
    stop: () => clearInterval(timer),
  };
}

function isBelow(pid: number, root: number, parents: ReadonlyMap<number, number | null>): boolean {
  for (let at: number | null | undefined = pid; at; at = parents.get(at)) if (at === root) return true;
  return false;
}

const pids = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger);

/** Null when it is gone; a zombie is gone too: only its parent's wait is missing. */
function parentOf(pid: number): number | null {
  const [, state, parent] = /\) (\w) (\d+) /.exec(read(pid, 'stat')) ?? [];
  return parent === undefined || state === 'Z' ? null : Number(parent);
}

function read(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch {
    return '';
  }
}
