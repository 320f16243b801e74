import { watch } from 'node:fs';
import { join } from 'node:path';

/**
 * Calls `arrived` once, as soon as a pack of a fetch is whole and may be read; git then still looks whether all of it
 * hangs together and writes the ref, for 5 to 10 ms on thousands of files. The name of the index comes last of a pack's.
 * Where the system grants no watch, nothing is called.
 * @returns what ends the watch.
 */
export function onNextPack(store: string, arrived: () => void): () => void {
  try {
    const watcher = watch(join(store, 'objects', 'pack'), { persistent: false }, (_, name) => {
      if (!name?.endsWith('.idx')) return;
      watcher.close();
      arrived();
    });
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
}
