import type { Store } from '../../git/store.ts';
import type { Logger } from '../../runtime/log.ts';

/**
 * Names in the log what was set aside because it could not be deleted, each path once in the life of the process. What
 * can be deleted by now is deleted by the store's own look.
 */
export function tellUndeletable(store: Pick<Store, 'undeletable'>, log: Pick<Logger, 'warn'>): () => Promise<void> {
  const told = new Set<string>();
  return async () => {
    const paths = (await store.undeletable()).filter((path) => !told.has(path));
    for (const path of paths) told.add(path);
    if (paths.length > 0) log.warn({ paths }, 'these could not be deleted: remove them as their owner or as root');
  };
}
