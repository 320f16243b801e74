import { createRequire } from 'node:module';
import ConnectionManager from 'node-zookeeper-client/lib/ConnectionManager.js';
import jute from 'node-zookeeper-client/lib/jute/index.js';
import { describe, expect, it, vi } from 'vitest';
import { requestsBelow } from '../../zookeeper/requests.ts';
import { RequestPacket } from '../../zookeeper/wire/packets.ts';

/*
 * zookeeper/wire/connection.ts reaches into private parts of the client package. This breaks first when a new version moves them;
 * each case names what the link relies on.
 */
const { version } = createRequire(import.meta.url)('node-zookeeper-client/package.json') as { version: string };
const states = () => {
  const seen: number[] = [];
  const options = { sessionTimeout: 3_000, spinDelay: 0 };
  return { seen, manager: new ConnectionManager('x:1', options, (state) => void seen.push(state)) };
};

describe('what we reach into of node-zookeeper-client', () => {
  it('is of the version it was written against', () => {
    expect(version).toBe('1.1.3');
  });

  it('the manager opens no socket by itself and starts with number, zxid and session of its own', () => {
    const { manager } = states();
    expect(manager.socket).toBeUndefined();
    expect([manager.xid, manager.zxid.length, manager.sessionId.length, manager.sessionPassword.length]).toEqual([
      0, 8, 8, 16,
    ]);
    for (const name of [
      'onSocketConnected',
      'onSocketData',
      'onSocketDrain',
      'onSocketTimeout',
      'queue',
      'close',
    ] as const) {
      expect(typeof manager[name]).toBe('function');
    }
  });

  it('takes a session to ride on from its options, and updateTimeout is looked up on the object', () => {
    const id = Buffer.from('0102030405060708', 'hex');
    const manager = new ConnectionManager(
      'x:1',
      { sessionTimeout: 9_000, spinDelay: 0, sessionId: id, sessionPassword: Buffer.alloc(16, 1) },
      () => {},
    );
    expect(manager.sessionId.equals(id)).toBe(true);
    expect([manager.sessionTimeout, manager.pingTimeout]).toEqual([9_000, 3_000]);
  });

  it('sends the handshake first, then credentials, then requests, and no watches where the watcher is empty', () => {
    const { manager, seen } = states();
    const written: Buffer[] = [];
    const socket = { write: (bytes: Buffer) => written.push(bytes) > 0, setTimeout: vi.fn() };
    Object.assign(manager, { socket, xid: 1, watcherManager: { isEmpty: () => true } });
    manager.updateTimeout = (ms) => Object.assign(manager, { sessionTimeout: ms, pingTimeout: 0 });
    manager.addAuthInfo('digest', Buffer.from('a:b'));
    manager.setState(ConnectionManager.STATES.CONNECTING);
    manager.onSocketConnected();
    expect(written).toHaveLength(1);
    manager.onSocketData(
      Buffer.from(`00000025${'00000000'}00001000${'0'.repeat(15)}7${'00000010'}${'0'.repeat(32)}00`, 'hex'),
    );
    const { CONNECTING, CONNECTED } = ConnectionManager.STATES;
    expect(seen).toEqual([CONNECTING, CONNECTED]);
    expect(manager.sessionTimeout).toBe(4_096);
    expect(socket.setTimeout).toHaveBeenCalledWith(0, expect.any(Function));
    expect(written).toHaveLength(2);
    expect(written[1]?.readInt32BE(8)).toBe(jute.OP_CODES.AUTH);

    const asked = requestsBelow('').exists('/', false);
    const packet = new RequestPacket(asked.type, asked.payload, () => {});
    manager.queue(packet, () => {});
    expect(written[2]?.toString('hex')).toBe(`0000000e${'00000001'}${'00000003'}${'00000001'}2f00`);
    expect(manager.pendingQueue.map(({ request }) => request)).toEqual([packet]);
    expect(manager.packetQueue.queue).toEqual([]);
    manager.onSocketTimeout();
    expect(written[3]?.readInt32BE(4)).toBe(jute.XID_PING);
    expect(manager.pendingQueue).toHaveLength(1);
    manager.onSocketData(Buffer.from(`00000010${'fffffffe'}${'0'.repeat(15)}9${'00000000'}`, 'hex'));
    expect(manager.pendingQueue).toHaveLength(1);
    manager.close();
    expect(manager.pendingQueue.map(({ request }) => request.header.type)).toEqual([
      jute.OP_CODES.EXISTS,
      jute.OP_CODES.CLOSE_SESSION,
    ]);
  });

  it('has the records that requests are made of', () => {
    const { OP_CODES, protocol } = jute;
    expect([OP_CODES.CREATE, OP_CODES.DELETE, OP_CODES.EXISTS, OP_CODES.GET_DATA, OP_CODES.SET_DATA]).toEqual([
      1, 2, 3, 4, 5,
    ]);
    expect([OP_CODES.GET_ACL, OP_CODES.SET_ACL, OP_CODES.GET_CHILDREN2, OP_CODES.CHECK, OP_CODES.MULTI]).toEqual([
      6, 7, 12, 13, 14,
    ]);
    expect(new protocol.SetDataRequest('/a', Buffer.from('x'), 7)).toMatchObject({ path: '/a', version: 7 });
    const zero = new jute.TransactionRequest([
      { type: OP_CODES.SET_DATA, path: '/a', data: Buffer.from('x'), version: 0 },
    ]);
    const bytes = new RequestPacket(OP_CODES.MULTI, zero, () => {}).toBuffer();
    // Length, header, operation header, path, data: then the version, 0 and not -1.
    expect(bytes.readInt32BE(4 + 8 + 9 + 6 + 5)).toBe(0);
  });
});
