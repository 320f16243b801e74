// Follows one key for as long as the program lives: prints each new value.
// Run: ZOOKEEPER=zk1:2181,zk2:2181,zk3:2181 node key-watcher.js /shop/banner
import { connect } from 'gitfleet';

const [key = '/shop/banner'] = process.argv.slice(2);
const client = connect({ zookeeper: process.env['ZOOKEEPER'] ?? '127.0.0.1:2181' });
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

// The first item is the present value. A lost connection, or an ensemble that restarts, ends nothing.
for await (const seen of client.watch(key, { signal: stop.signal })) {
  console.log(seen.exists ? `${key} is ${seen.data}` : `${key} is not there`);
}
await client.close();
