import { readFileSync } from 'node:fs';

/**
 * The bytes of private memory of a process and its descendants; mapped files do not count, such as git's packs. 0 if
 * the process is gone or there is no /proc.
 */
export function memoryOf(pid: number, depth = 8): number {
  const own = Number(/^RssAnon:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1_024;
  if (depth === 0) return own;
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return children.reduce((sum, child) => sum + memoryOf(child, depth - 1), own);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
