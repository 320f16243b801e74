import jute from 'node-zookeeper-client/lib/jute/index.js';
import { expect, it } from 'vitest';
import { Fields, readEvent, readPayload } from '../../zookeeper/wire/replies.ts';

const { OP_CODES } = jute;
const int = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const long = (value: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
};
const text = (value: string) => Buffer.concat([int(Buffer.byteLength(value)), Buffer.from(value)]);
const flag = (value: boolean) => Buffer.from([value ? 1 : 0]);
const stat = Buffer.concat([
  ...[long(0x1_0000_0002n), long(-2n), long(1_700_000_000_123n), long(0xffff_ffffn)],
  ...[int(3), int(4), int(5), long(0x7fff_0000_ffff_0001n), int(6), int(7), long(8n)],
]);
const STAT = {
  ...{ version: 3, czxid: 0x1_0000_0002n, mzxid: -2n, ctime: 1_700_000_000_123, mtime: 0xffff_ffff },
  ...{ ephemeralOwner: 0x7fff_0000_ffff_0001n, numChildren: 7, pzxid: 8n, aversion: 5 },
};
const acl = Buffer.concat([int(1), int(31), text('world'), text('anyone')]);
const parts = Buffer.concat([
  ...[int(OP_CODES.CREATE), flag(false), int(0), text('/é')],
  ...[int(OP_CODES.SET_DATA), flag(false), int(0), stat],
  ...[int(OP_CODES.CHECK), flag(false), int(0)],
  ...[int(OP_CODES.ERROR), flag(false), int(-103), int(-103)],
  ...[int(-1), flag(true), int(-1)],
]);

const replies: [string, number, Buffer, object][] = [
  ['data', OP_CODES.GET_DATA, Buffer.concat([text('abc'), stat]), { data: Buffer.from('abc'), stat: STAT }],
  ['no data', OP_CODES.GET_DATA, Buffer.concat([int(-1), stat]), { data: Buffer.alloc(0), stat: STAT }],
  ['a stat', OP_CODES.EXISTS, stat, { stat: STAT }],
  [
    'children',
    OP_CODES.GET_CHILDREN2,
    Buffer.concat([int(2), text('a'), text('ü'), stat]),
    { children: ['a', 'ü'], stat: STAT },
  ],
  [
    'an access list',
    OP_CODES.GET_ACL,
    Buffer.concat([acl, stat]),
    { acl: [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }], stat: STAT },
  ],
  ['a path', OP_CODES.CREATE, text('/made'), { path: '/made' }],
  [
    'a transaction',
    OP_CODES.MULTI,
    parts,
    { results: [{ type: 1, path: '/é' }, { type: 5, stat: STAT }, { type: 13 }, { type: -1, err: -103 }] },
  ],
];

it.each(replies)(
  '%s is read from its bytes, and wherever they are cut short it is an error',
  (_, type, bytes, wanted) => {
    expect(readPayload(type, new Fields(bytes, 0))).toEqual(wanted);
    for (let length = 0; length < bytes.length; length++) {
      // Cut off in memory, too, and behind other bytes as in a batch of frames.
      expect(() => readPayload(type, new Fields(Buffer.from(bytes.subarray(0, length)), 0))).toThrow(RangeError);
      expect(() => readPayload(type, new Fields(bytes.subarray(0, length), 0))).toThrow(RangeError);
    }
  },
);

it('lengths that lie are errors, and no memory is given to them', () => {
  const lie = (type: number, ...bytes: Buffer[]) =>
    expect(() => readPayload(type, new Fields(Buffer.concat(bytes), 0))).toThrow(RangeError);
  lie(OP_CODES.GET_DATA, int(0x7fff_ffff), stat);
  lie(OP_CODES.GET_CHILDREN2, int(0x7fff_ffff), text('a'), stat);
  lie(OP_CODES.GET_ACL, int(0x7fff_ffff), acl, stat);
  lie(OP_CODES.CREATE, int(1_000), Buffer.from('/a'));
  lie(OP_CODES.MULTI, int(99), flag(false), int(0), stat);
});

it('data shares the memory of its frame only where nothing else is in it', () => {
  const reply = Buffer.concat([text('abc'), stat]);
  const alone = Buffer.from(new Uint8Array(reply).buffer);
  expect((readPayload(OP_CODES.GET_DATA, new Fields(alone, 0)).data as Buffer).buffer).toBe(alone.buffer);
  const batch = Buffer.from(new Uint8Array(Buffer.concat([reply, Buffer.alloc(60_000)])).buffer);
  const { data } = readPayload(OP_CODES.GET_DATA, new Fields(batch.subarray(0, reply.length), 0));
  expect(data?.toString()).toBe('abc');
  expect(data?.buffer).not.toBe(batch.buffer);
});

it('an event says what happened where', () => {
  expect(readEvent(new Fields(Buffer.concat([int(3), int(3), text('/a/b')]), 0))).toEqual({ type: 3, path: '/a/b' });
});
