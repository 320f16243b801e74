import jute, { type Payload } from 'node-zookeeper-client/lib/jute/index.js';
import { toRecords } from './acl.ts';
import type { Request } from './calls.ts';
import { withChroot } from './paths.ts';
import type { AclEntry, CreateMode, Operation } from './session.ts';

/** The requests to a server. Paths are those of the session's callers, without the chroot. */
export interface Requests {
  get(path: string, watch: boolean): Request;
  exists(path: string, watch: boolean): Request;
  children(path: string, watch: boolean): Request;
  create(path: string, data: Buffer, mode: CreateMode, acl: readonly AclEntry[]): Request;
  set(path: string, data: Buffer, version: number): Request;
  remove(path: string, version: number): Request;
  transact(operations: readonly Operation[], defaultAcl: readonly AclEntry[]): Request;
  getAcl(path: string): Request;
  setAcl(path: string, acl: readonly AclEntry[], version: number): Request;
}

const MODES: Record<CreateMode, number> = {
  persistent: 0,
  ephemeral: 1,
  'persistent-sequential': 2,
  'ephemeral-sequential': 3,
};

export function requestsBelow(chroot: string): Requests {
  const { OP_CODES, protocol } = jute;
  const full = (path: string) => withChroot(chroot, path);

  /** The client library's own builder treats version 0 as "any". Here every version is sent as given. */
  function operation(one: Operation, defaultAcl: readonly AclEntry[]) {
    const path = full(one.path);
    switch (one.op) {
      case 'check':
        return { type: OP_CODES.CHECK, path, version: one.version };
      case 'set':
        return { type: OP_CODES.SET_DATA, path, data: one.data, version: one.version };
      case 'remove':
        return { type: OP_CODES.DELETE, path, version: one.version };
      case 'create': {
        const acls = toRecords(one.acl ?? defaultAcl).map((record) => ({ toRecord: () => record }));
        return { type: OP_CODES.CREATE, path, data: one.data, mode: MODES[one.mode], acls };
      }
    }
  }

  const reads = (op: string, path: string, type: number, payload: Payload): Request => ({
    op,
    path,
    type,
    payload,
    writes: false,
  });
  const writes = (op: string, path: string, type: number, payload: Payload): Request => ({
    op,
    path,
    type,
    payload,
    writes: true,
  });

  return {
    get: (path, watch) => reads('get', path, OP_CODES.GET_DATA, new PathAndWatch(full(path), watch)),
    exists: (path, watch) => reads('exists', path, OP_CODES.EXISTS, new PathAndWatch(full(path), watch)),
    children: (path, watch) => reads('children', path, OP_CODES.GET_CHILDREN2, new PathAndWatch(full(path), watch)),
    getAcl: (path) => reads('getAcl', path, OP_CODES.GET_ACL, new protocol.GetACLRequest(full(path))),
    create(path, data, mode, acl) {
      const payload = new protocol.CreateRequest(full(path), data, toRecords(acl), MODES[mode]);
      return writes('create', path, OP_CODES.CREATE, payload);
    },
    set: (path, data, version) =>
      writes('set', path, OP_CODES.SET_DATA, new protocol.SetDataRequest(full(path), data, version)),
    remove: (path, version) => writes('remove', path, OP_CODES.DELETE, new protocol.DeleteRequest(full(path), version)),
    setAcl: (path, acl, version) =>
      writes('setAcl', path, OP_CODES.SET_ACL, new protocol.SetACLRequest(full(path), toRecords(acl), version)),
    transact(operations, defaultAcl) {
      const payload = new jute.TransactionRequest(operations.map((one) => operation(one, defaultAcl)));
      return writes('transact', operations[0]?.path ?? '/', OP_CODES.MULTI, payload);
    },
  };
}

/** The payload of all reads of a node: its path, then whether to leave a watch. */
class PathAndWatch implements Payload {
  readonly #path: string;
  readonly #watch: boolean;

  constructor(path: string, watch: boolean) {
    this.#path = path;
    this.#watch = watch;
  }

  byteLength(): number {
    return 4 + Buffer.byteLength(this.#path) + 1;
  }

  serialize(buffer: Buffer, offset: number): number {
    const length = buffer.write(this.#path, offset + 4);
    buffer.writeInt32BE(length, offset);
    buffer.writeUInt8(this.#watch ? 1 : 0, offset + 4 + length);
    return 4 + length + 1;
  }
}
