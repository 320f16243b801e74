// node scripts/keep-compiled.mjs SCRIPT: writes SCRIPT.cache, V8's compiled code for SCRIPT (cli/main.ts reads it). V8
// compiles a function when it is first called, so the script first publishes twice, to a ZooKeeper in memory: once to a
// fresh app, and once as in most publishes, with an earlier record, a fleet that has reported and an old record to
// remove.
import { readFileSync, writeFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';
import { smallZooKeeper } from './small-zookeeper.mjs';

const APP = '/app/none';
/** The number of the last record before: as many exist as are kept, so each publish removes the oldest. */
const LAST = 300;
const KEPT = 200;

const filename = process.argv[2];
const script = new Script(readFileSync(filename, 'latin1'), { filename: basename(filename) });
const said = [];
for (const stream of [process.stdout, process.stderr]) stream.write = (text) => said.push(text) > 0;

const nodes = new Map();
const add = (path, data = '', owner = 0) => nodes.set(`${APP}${path}`, { data: Buffer.from(data), owner });
for (const name of ['config', 'hold', 'quarantine', 'rollout', 'outcomes', 'online', 'agents']) add(`/${name}`);
add('/deployments', String(LAST));
for (let number = LAST - KEPT + 1; number <= LAST; number += 1) add(`/deployments/d-${number}`);
add(`/outcomes/d-${LAST - KEPT + 1}`);

const server = smallZooKeeper(nodes);
server.listen(0, '127.0.0.1', async () => {
  // A publish that ends before it has connected ends this process, whose exit then says so.
  server.unref();
  await publish('a'.repeat(40));
  addAgent();
  await publish('b'.repeat(40));
  server.close();
});

/** Resolves when its connection has ended. */
function publish(commitId) {
  const target = [commitId, '--url', 'https://git.example.com/shop.git', '--relative-path', 'shop'];
  const where = ['-z', `127.0.0.1:${server.address().port}`, '--app', APP];
  process.argv = [process.execPath, filename, 'publish', ...target, '--detach', '--no-check', ...where];
  const ended = new Promise((resolve) => {
    server.once('connection', (socket) => socket.once('close', () => setImmediate(resolve)));
  });
  script.runInThisContext()(createRequire(import.meta.url), filename, dirname(filename));
  return ended;
}

/** An agent that shows what was published. */
function addAgent() {
  const { mzxid, mtime } = nodes.get(`${APP}/config`);
  const agent = { agentId: 'web-1', agentVersion: '0' };
  const process = { instanceId: 'i', machineId: 'm', pid: 1, host: 'h', startedAt: mtime };
  const report = { targetVersion: `${mzxid.toString(16)}.${mtime}`, phase: 'active', activeCommit: 'a'.repeat(40) };
  add('/online/web-1', JSON.stringify({ ...agent, ...process }), 2);
  add('/agents/web-1', JSON.stringify({ ...agent, ...report, phaseAt: mtime, at: mtime }));
}

process.on('exit', () => {
  const words = said.join('');
  const proven = nodes.get(`${APP}/outcomes/d-${LAST + 1}`)?.data.includes('"proven"');
  const removed = !nodes.has(`${APP}/deployments/d-${LAST - KEPT + 2}`);
  if (!words.includes(`d-${LAST + 1}: `) || !words.includes(`d-${LAST + 2}: `) || !proven || !removed) {
    writeSync(2, `keep-compiled: the publishes ended otherwise than they should: ${words}\n`);
    process.exitCode = 1;
    return;
  }
  process.exitCode = 0;
  const cache = script.createCachedData();
  const head = Buffer.alloc(8); // V8 copies what does not begin at a multiple of eight.
  head.writeUInt32BE(crc32(cache));
  writeFileSync(`${filename}.cache`, Buffer.concat([head, cache]));
});
