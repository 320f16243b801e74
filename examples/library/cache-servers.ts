// A list of cache servers in znodes: /servers/cache/<name>/host and /servers/cache/<name>/port. Prints the list at the
// start, and after each change of the names. `touch` the parent (set it to anything) after a change of a host or a port.
import { type Client, connect } from 'gitfleet';

const LIST = '/servers/cache';
const client = connect({ zookeeper: process.env['ZOOKEEPER'] ?? '127.0.0.1:2181' });
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
const { signal } = stop;

await Promise.all([show(client.watchChildren(LIST, { signal })), show(client.watch(LIST, { signal }))]);
await client.close();

async function show(changes: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of changes) console.log(JSON.stringify(await servers(client)));
}

async function servers(of: Client): Promise<string[]> {
  const names = (await of.children(LIST)) ?? [];
  const all = await Promise.all(names.toSorted().map((name) => serverAt(of, `${LIST}/${name}`)));
  return all.filter((server) => server !== null);
}

/** Null where a part of it is missing or is no port: such a server is not used. */
async function serverAt(of: Client, path: string): Promise<string | null> {
  const [host, port] = await Promise.all([of.get(`${path}/host`), of.get(`${path}/port`)]);
  if (!host || !port || !/^\d{1,5}$/.test(String(port.data))) return null;
  return `${host.data}:${port.data}`;
}
