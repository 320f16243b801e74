/**
 * What one writes in an afternoon. Python, argv: connect string, znode, repository, clone. It says `ready`, and what
 * the znode held after each pull.
 */
export const NAIVE_AGENT = `
import subprocess, sys, threading
from kazoo.client import KazooClient
connect, znode, repository, clone = sys.argv[1:5]
git = lambda *args: subprocess.run(['git', *args], check=True, capture_output=True, text=True).stdout.strip()
git('clone', '--quiet', repository, clone)
client = KazooClient(hosts=connect)
client.start()
@client.DataWatch(znode)
def changed(data, stat):
    if data:
        git('-C', clone, 'pull', '--quiet')
        print(data.decode(), flush=True)
print('ready', flush=True)
threading.Event().wait()
`;

/** How one publishes to these: sets a znode and ends. Python, argv: connect string, znode, value. */
export const NAIVE_PUBLISHER = `
import sys
from kazoo.client import KazooClient
connect, znode, value = sys.argv[1:4]
client = KazooClient(hosts=connect)
client.start()
client.set(znode, value.encode())
client.stop()
`;

/** Sets a znode and ends. Argv: connect string, znode, value, module of the client. */
export const BARE_PUBLISHER = `
const [connect, znode, value, client] = process.argv.slice(2);
const zk = require(client).createClient(connect, { sessionTimeout: 15000 });
zk.once('connected', () => zk.setData(znode, Buffer.from(value), -1, (error) => {
  if (error) { console.error(String(error)); process.exitCode = 1; }
  zk.close();
}));
zk.connect();
`;

/**
 * The least that a process of Node with this client can do for the exact commit: one `git fetch`, one rename of a link.
 * No tree is written, nothing is proved or reported: what is above it is ours to answer for. Argv: connect string,
 * znode, url, directory, module of the client.
 */
export const BARE_NODE_AGENT = `
const { execFile, execFileSync } = require('node:child_process');
const fs = require('node:fs');
const [connect, znode, url, directory, client] = process.argv.slice(2);
const zk = require(client).createClient(connect, { sessionTimeout: 15000 });
const store = directory + '/store.git';
fs.mkdirSync(directory, { recursive: true });
execFileSync('git', ['init', '--quiet', '--bare', store]);
let said = '';
function look() {
  zk.getData(znode, look, (error, data) => {
    const commitId = error ? '' : data.toString();
    if (commitId === '' || commitId === said) return;
    said = commitId;
    const options = ['--depth=1', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--quiet'];
    execFile('git', ['--git-dir=' + store, 'fetch', ...options, url, '+' + commitId + ':refs/pins/' + commitId], (failed) => {
      if (failed) return console.error(String(failed));
      fs.symlinkSync(commitId, directory + '/link.new');
      fs.renameSync(directory + '/link.new', directory + '/link');
      console.log(commitId);
    });
  });
}
zk.once('connected', () => { look(); console.log('ready'); });
zk.connect();
`;
