// node scripts/keep-compiled.mjs SCRIPT: writes SCRIPT.cache, what V8 makes of SCRIPT (cli/main.ts reads it). V8
// compiles a function when it is first called, so the script first runs a publish, as far as one comes with a ZooKeeper
// that has no nodes.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

const filename = process.argv[2];
const script = new Script(readFileSync(filename, 'latin1'), { filename });
const said = [];
process.stderr.write = (text) => said.push(text) > 0;

const server = createServer((socket) => {
  let read = Buffer.alloc(0);
  let greeted = false;
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    read = Buffer.concat([read, bytes]);
    while (read.length >= 4 && read.length >= 4 + read.readInt32BE(0)) {
      const frame = read.subarray(4, 4 + read.readInt32BE(0));
      read = read.subarray(4 + frame.length);
      socket.write(greeted ? noNode(frame.readInt32BE(0)) : welcome());
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

/** ReplyHeader: the request's number, a zxid, and that there is no such node. */
function noNode(xid) {
  const frame = Buffer.alloc(4 + 16);
  frame.writeInt32BE(16, 0);
  frame.writeInt32BE(xid, 4);
  frame.writeInt32BE(-101, 16);
  return frame;
}

process.on('exit', () => {
  if (!said.join('').includes('APP_MISSING')) {
    process.stdout.write(`keep-compiled: the publish ended otherwise than it should: ${said.join('')}\n`);
    process.exitCode = 1;
    return;
  }
  process.exitCode = 0;
  const cache = script.createCachedData();
  writeFileSync(`${filename}.cache`, Buffer.concat([createHash('sha256').update(cache).digest(), cache]));
});
