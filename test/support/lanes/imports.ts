import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** What the sources import and export, read from their text: for the tests of the structure. */

const ROOT = join(import.meta.dirname, '../../..');

/** `type`: gone after compilation. `lazy`: loaded when a function is called. */
export interface Import {
  readonly of: string;
  readonly kind: 'value' | 'type' | 'lazy';
}

export const readSource = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

/** The files of these folders of the repository that end in `.ts`, by their path from its root. */
export function sourcesOf(folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
}

/** The source without its comments, which may mention an import. */
export const codeOf = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|(?<![:'"`])\/\/.*$/gm, '');

const IMPORT =
  /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\s*\(\s*['"]([^'"]+)['"]\s*\)/gm;

/** What a file imports; relative paths are resolved against the root of the repository. */
export function importsOf(file: string, text: string): Import[] {
  return [...codeOf(text).matchAll(IMPORT)].map(([, type, fixed, lazy]) => {
    const specifier = (fixed ?? lazy) as string;
    const of = specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : specifier;
    return { of, kind: lazy !== undefined ? 'lazy' : type === undefined ? 'value' : 'type' };
  });
}

/** The names that a file declares and exports. Names that it re-exports belong to the other file. */
export function exportsOf(text: string): string[] {
  const declared =
    /^export (?:async |abstract )*(?:function\*?|const|let|class|interface|type|enum) ([A-Za-z_$][\w$]*)/gm;
  return [...codeOf(text).matchAll(declared)].map((found) => found[1] as string);
}

/** Groups of files in which each leads back to itself (Tarjan); each group in alphabetical order. */
export function circles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const lowOf = (file: string) => low.get(file) as number;
  const visit = (file: string): void => {
    index.set(file, index.size);
    low.set(file, index.get(file) as number);
    open.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!index.has(next)) visit(next);
      if (open.includes(next)) low.set(file, Math.min(lowOf(file), lowOf(next)));
    }
    if (lowOf(file) !== index.get(file)) return;
    const group = open.splice(open.indexOf(file));
    if (group.length > 1) found.push(group.toSorted());
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return found.toSorted();
}
