// node scripts/keep-compiled.mjs SCRIPT: writes SCRIPT.cache, what V8 makes of SCRIPT (cli/main.ts reads it). V8
// compiles a function when it is first called, so the script first runs a publish, to a ZooKeeper whose nodes are all
// there and empty, and which takes whatever is written.
import { readFileSync, writeFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { basename, dirname } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

const [CREATE, EXISTS, GET, SET, CHILDREN, MULTI, CLOSE] = [1, 3, 4, 5, 12, 14, -11];
const STAT = Buffer.alloc(68);
const int = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

const filename = process.argv[2];
const script = new Script(readFileSync(filename, 'latin1'), { filename: basename(filename) });
const said = [];
for (const stream of [process.stdout, process.stderr]) stream.write = (text) => said.push(text) > 0;

const server = createServer((socket) => {
  let read = Buffer.alloc(0);
  let greeted = false;
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    read = Buffer.concat([read, bytes]);
    while (read.length >= 4 && read.length >= 4 + read.readInt32BE(0)) {
      const frame = read.subarray(4, 4 + read.readInt32BE(0));
      read = read.subarray(4 + frame.length);
      socket.write(greeted ? reply(frame) : welcome());
      if (greeted && frame.readInt32BE(4) === CLOSE) socket.end();
      greeted = true;
    }
  });
});
server.listen(0, '127.0.0.1', () => {
  const args = ['publish', 'a'.repeat(40), '--url', 'https://git.example.com/shop.git', '--relative-path', 'shop'];
  const where = ['-z', `127.0.0.1:${server.address().port}`, '--app', '/app/none'];
  process.argv = [process.execPath, filename, ...args, '--detach', '--no-check', ...where];
  script.runInThisContext()(createRequire(import.meta.url), filename, dirname(filename));
  server.unref();
});

/** ConnectResponse: protocol 0, a timeout of 15 s, a session id, a password of 16 bytes. */
function welcome() {
  const frame = Buffer.alloc(4 + 36);
  frame.writeInt32BE(36, 0);
  frame.writeInt32BE(15_000, 8);
  frame.writeInt32BE(1, 16);
  frame.writeInt32BE(16, 20);
  return frame;
}

/** ReplyHeader: the request's number, a zxid, no error; then what the operation gives. */
function reply(frame) {
  const [xid, operation] = [frame.readInt32BE(0), frame.readInt32BE(4)];
  const given = [int(xid), Buffer.alloc(12)];
  if (operation === EXISTS) given.push(STAT);
  // No bytes, or no names.
  if (operation === GET || operation === CHILDREN) given.push(int(0), STAT);
  if (operation === MULTI) given.push(...results(frame.subarray(8)));
  const bytes = Buffer.concat(given);
  return Buffer.concat([int(bytes.length), bytes]);
}

/** MultiResponse: for each operation its header, and the path of a node made or the stat of one written. */
function results(request) {
  let at = 0;
  const next = () => {
    at += 4;
    return request.readInt32BE(at - 4);
  };
  const bytes = () => {
    const length = Math.max(0, next());
    at += length;
    return request.subarray(at - length, at);
  };
  const answers = [];
  for (let operation = next(); operation !== -1; operation = next()) {
    at += 5; // The rest of its header.
    const path = bytes();
    if (operation === CREATE || operation === SET) bytes();
    for (let entries = operation === CREATE ? next() : 0; entries > 0; entries--) {
      next();
      bytes();
      bytes();
    }
    next(); // The version, or of a new node its kind.
    const body = operation === CREATE ? [int(path.length), path] : operation === SET ? [STAT] : [];
    answers.push(int(operation), Buffer.alloc(5), ...body);
  }
  return [...answers, int(-1), Buffer.of(1), int(-1)];
}

process.on('exit', () => {
  if (!said.join('').startsWith('d-1: ')) {
    writeSync(2, `keep-compiled: the publish ended otherwise than it should: ${said.join('')}\n`);
    process.exitCode = 1;
    return;
  }
  process.exitCode = 0;
  const cache = script.createCachedData();
  const head = Buffer.alloc(8); // V8 copies what does not begin at a multiple of eight.
  head.writeUInt32BE(crc32(cache));
  writeFileSync(`${filename}.cache`, Buffer.concat([head, cache]));
});
