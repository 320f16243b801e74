import jute, { type Stat } from 'node-zookeeper-client/lib/jute/index.js';
import { toRecords } from './acl.ts';
import type { Request } from './calls.ts';
import { withChroot } from './paths.ts';
import type { AclEntry, CreateMode, NodeStat, Operation } from './session.ts';

/** What we ask a server, in the client's records. Paths come as the session's callers write them. */
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

  /** The client's own builder takes version 0 for "any": here every version goes out as it was given. */
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

  return {
    get: (path, watch) => ({
      ...{ op: 'get', path, writes: false, type: OP_CODES.GET_DATA },
      payload: new protocol.GetDataRequest(full(path), watch),
    }),
    exists: (path, watch) => ({
      ...{ op: 'exists', path, writes: false, type: OP_CODES.EXISTS },
      payload: new protocol.ExistsRequest(full(path), watch),
    }),
    children: (path, watch) => ({
      ...{ op: 'children', path, writes: false, type: OP_CODES.GET_CHILDREN2 },
      payload: new protocol.GetChildren2Request(full(path), watch),
    }),
    create: (path, data, mode, acl) => ({
      ...{ op: 'create', path, writes: true, type: OP_CODES.CREATE },
      payload: new protocol.CreateRequest(full(path), data, toRecords(acl), MODES[mode]),
    }),
    set: (path, data, version) => ({
      ...{ op: 'set', path, writes: true, type: OP_CODES.SET_DATA },
      payload: new protocol.SetDataRequest(full(path), data, version),
    }),
    remove: (path, version) => ({
      ...{ op: 'remove', path, writes: true, type: OP_CODES.DELETE },
      payload: new protocol.DeleteRequest(full(path), version),
    }),
    transact: (operations, defaultAcl) => ({
      ...{ op: 'transact', path: operations[0]?.path ?? '/', writes: true, type: OP_CODES.MULTI },
      payload: new jute.TransactionRequest(operations.map((one) => operation(one, defaultAcl))),
    }),
    getAcl: (path) => ({
      ...{ op: 'getAcl', path, writes: false, type: OP_CODES.GET_ACL },
      payload: new protocol.GetACLRequest(full(path)),
    }),
    setAcl: (path, acl, version) => ({
      ...{ op: 'setAcl', path, writes: true, type: OP_CODES.SET_ACL },
      payload: new protocol.SetACLRequest(full(path), toRecords(acl), version),
    }),
  };
}

export function statOf(stat: Stat | undefined): NodeStat {
  if (!stat) throw new RangeError('the reply carries no stat');
  return {
    version: stat.version,
    czxid: stat.czxid.readBigInt64BE(),
    mzxid: stat.mzxid.readBigInt64BE(),
    ctime: Number(stat.ctime.readBigInt64BE()),
    mtime: Number(stat.mtime.readBigInt64BE()),
    ephemeralOwner: stat.ephemeralOwner.readBigInt64BE(),
    numChildren: stat.numChildren,
  };
}
