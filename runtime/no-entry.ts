import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * Why starting a program failed with ENOENT. The system reports the same code for a missing directory, a missing
 * program, a missing interpreter, and a script with Windows line ends, whose interpreter's name ends with a carriage
 * return. Determined after the failure, so it may have changed in the meantime. Never throws.
 */
export function whyNoEntry(program: string, directory: string, path: string): string {
  if (!isThere(directory, 'directory')) return `there is no directory ${directory}`;
  const places = program.includes('/') ? [resolve(directory, program)] : path.split(':').map((at) => join(at, program));
  const file = places.find((place) => isThere(place, 'file'));
  if (file === undefined) return program.includes('/') ? 'there is no such file' : `there is none in ${path}`;
  const line = firstLine(file);
  const interpreter = /^#!\s*(\S+)/.exec(line)?.[1];
  if (interpreter === undefined) return `${file} is there, and a library or loader that it needs is not`;
  if (line.endsWith('\r')) return `${file} has Windows line ends (CRLF), so its interpreter is not found`;
  return `the interpreter of ${file} is missing: ${interpreter}`;
}

function isThere(path: string, kind: 'file' | 'directory'): boolean {
  try {
    const found = statSync(path);
    return kind === 'file' ? found.isFile() : found.isDirectory();
  } catch {
    return false;
  }
}

function firstLine(file: string): string {
  const start = Buffer.alloc(256);
  try {
    const descriptor = openSync(file, 'r');
    try {
      const length = readSync(descriptor, start, 0, start.length, 0);
      return start.subarray(0, length).toString('latin1').split('\n')[0] ?? '';
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return '';
  }
}
