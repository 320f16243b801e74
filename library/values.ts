import { checkValueSize, checkWrittenPath, putValue, removeValue } from '../fleet/values.ts';
import type { Session, WatchOptions } from '../zookeeper/session.ts';
import { type Content, toBuffer } from './content.ts';
import { anyPath } from './own-path.ts';

/**
 * Values: znodes that any program may read and write, as with `gitfleet kv`. A write is refused in an app, in a
 * registry of services, in a directory of plain flags and in ZooKeeper's own tree (ZNODE_RESERVED).
 */
export interface Values {
  /** Null: there is no such value. */
  get(path: string): Promise<Value | null>;
  /**
   * Writes a value and creates missing parents. An existing one is overwritten only with the version that was read, or
   * with `force`. @throws FleetError VALUE_EXISTS, VALUE_CHANGED, VALUE_MISSING, USAGE
   */
  put(path: string, content: Content, options?: PutOptions): Promise<{ version: number; created: boolean }>;
  /** The names below a path; null: there is no such path. */
  ls(path: string): Promise<string[] | null>;
  /** @throws FleetError VALUE_MISSING; VALUE_EXISTS if there is something below it, unless `force`. */
  rm(path: string, options?: { readonly force?: boolean }): Promise<void>;
  /** The value now and after each change, until the signal fires; null while there is none. */
  watch(path: string, options: WatchOptions): AsyncIterable<Value | null>;
}

export interface Value {
  readonly data: Buffer;
  /** For `ifVersion` of a write. */
  readonly version: number;
}

export interface PutOptions {
  readonly ifVersion?: number;
  readonly force?: boolean;
}

export function createValues(session: Session): Values {
  return {
    async get(path) {
      const found = await session.get(anyPath(path));
      return found && { data: found.data, version: found.stat.version };
    },
    async put(path, content, { ifVersion = null, force = false } = {}) {
      const data = toBuffer(content);
      checkValueSize(data);
      await checkWrittenPath(session, path);
      return await putValue(session, { path, data, ifVersion, force });
    },
    ls: async (path) => (await session.children(anyPath(path)))?.toSorted() ?? null,
    async rm(path, { force = false } = {}) {
      await checkWrittenPath(session, path);
      await removeValue(session, path, force);
    },
    watch: (path, options) => valuesOf(session, anyPath(path), options),
  };
}

async function* valuesOf(session: Session, path: string, options: WatchOptions): AsyncGenerator<Value | null> {
  for await (const seen of session.watch(path, options)) {
    yield seen.exists ? { data: seen.data, version: seen.stat.version } : null;
  }
}
