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
