// A ZooKeeper of one app for scripts/keep-compiled.mjs: in memory, without watches, rights and versions, and with only
// the requests that a publish sends. It answers as a server would, or -101 (no node) and -110 (node exists).
import { createServer } from 'node:net';

const [CREATE, DELETE, EXISTS, GET, SET, CHILDREN, CHECK, MULTI, CLOSE] = [1, 2, 3, 4, 5, 12, 13, 14, -11];
const [NO_NODE, NODE_EXISTS] = [-101, -110];

/** @param nodes a Map from the path of each node to its `{ data, owner }`; writes go into it. */
export function smallZooKeeper(nodes) {
  const server = { nodes, zxid: 0 };
  return createServer((socket) => {
    let read = Buffer.alloc(0);
    let greeted = false;
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      read = Buffer.concat([read, bytes]);
      while (read.length >= 4 && read.length >= 4 + read.readInt32BE(0)) {
        const frame = reader(read.subarray(4, 4 + read.readInt32BE(0)));
        read = read.subarray(4 + read.readInt32BE(0));
        if (greeted) answer(server, socket, frame);
        else socket.write(framed(WELCOME));
        greeted = true;
      }
    });
  });
}

const int = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const long = (value) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
};
const bytes = (value) => Buffer.concat([int(value.length), Buffer.from(value)]);
const framed = (...parts) => bytes(Buffer.concat(parts));

/** ConnectResponse: protocol 0, a timeout of 15 s, a session id, a password of 16 bytes. */
const WELCOME = Buffer.concat([int(0), int(15_000), long(1), bytes(Buffer.alloc(16))]);

function reader(frame) {
  let at = 0;
  const own = {
    int() {
      at += 4;
      return frame.readInt32BE(at - 4);
    },
    flag() {
      at += 1;
      return frame[at - 1] !== 0;
    },
    bytes() {
      const length = Math.max(0, own.int());
      at += length;
      return frame.subarray(at - length, at);
    },
  };
  return own;
}

/** ReplyHeader: the request's number, the zxid, an error; then the result of the operation. */
function answer(server, socket, frame) {
  const [number, operation] = [frame.int(), frame.int()];
  const given = operation === MULTI ? transaction(server, frame) : perform(server, operation, frame);
  const error = typeof given === 'number' ? given : 0;
  socket.write(framed(int(number), long(server.zxid), int(error), ...(error ? [] : given)));
  if (operation === CLOSE) socket.end();
}

/** MultiResponse: a header and a result per operation. All of them succeed, or the build is wrong. */
function transaction(server, frame) {
  server.zxid += 1;
  const results = [];
  for (;;) {
    const [operation, isLast] = [frame.int(), frame.flag()];
    frame.int();
    if (isLast) return [...results, int(-1), Buffer.of(1), int(-1)];
    const given = perform(server, operation, frame, server.zxid);
    if (typeof given === 'number') throw new Error(`operation ${operation} of a transaction gives ${given}`);
    results.push(int(operation), Buffer.of(0), int(0), ...given);
  }
}

/** The content of the reply, or the error code. */
function perform(server, operation, frame) {
  if (operation === CLOSE) return [];
  const path = frame.bytes().toString();
  const node = server.nodes.get(path);
  if (operation === CREATE) return create(server, path, frame);
  if (!node) return NO_NODE;
  if (node.version === undefined) touch(server, node, true);
  if (operation === EXISTS) return [stat(node)];
  if (operation === GET) return [bytes(node.data), stat(node)];
  if (operation === CHILDREN) return children(server, path, node);
  if (operation === SET) {
    node.data = frame.bytes();
    touch(server, node);
  }
  frame.int(); // The version.
  if (operation === DELETE) server.nodes.delete(path);
  else if (operation !== SET && operation !== CHECK) throw new Error(`operation ${operation} is not known here`);
  return operation === SET ? [stat(node)] : [];
}

function create(server, path, frame) {
  const node = { data: frame.bytes(), owner: 0 };
  for (let entries = frame.int(); entries > 0; entries -= 1) {
    frame.int();
    frame.bytes();
    frame.bytes();
  }
  frame.int(); // Its kind.
  if (server.nodes.has(path)) return NODE_EXISTS;
  touch(server, node, true);
  server.nodes.set(path, node);
  return [bytes(path)];
}

function children(server, path, node) {
  const names = [...server.nodes.keys()].filter((each) => each.slice(0, each.lastIndexOf('/')) === path);
  return [int(names.length), ...names.map((each) => bytes(each.slice(path.length + 1))), stat(node)];
}

function touch(server, node, isNew = false) {
  Object.assign(node, { mzxid: server.zxid, mtime: Date.now(), version: isNew ? 0 : node.version + 1 });
  if (isNew) Object.assign(node, { czxid: server.zxid, ctime: node.mtime });
}

/** czxid, mzxid, ctime, mtime, version, cversion, aversion, ephemeralOwner, length, children, pzxid. */
const stat = ({ czxid, mzxid, ctime, mtime, version, owner, data }) =>
  Buffer.concat([
    ...[czxid, mzxid, ctime, mtime].map(long),
    ...[version, 0, 0].map(int),
    ...[long(owner), int(data.length), int(0), long(czxid)],
  ]);
