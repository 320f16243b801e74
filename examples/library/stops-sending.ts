// A listener to the state of the connection: this program sends only while it is sure to be the one that may.
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'gitfleet';

const client = connect({
  zookeeper: process.env['ZOOKEEPER'] ?? '127.0.0.1:2181',
  sessionTimeout: process.env['SESSION_TIMEOUT'] ?? '15s',
});
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
client.onState((state) => console.log(state));

for await (const term of await client.elect('/shop/senders', { signal: stop.signal })) {
  console.log('sending');
  // The signal fires as soon as the session is suspended, before another program can lead.
  while (!term.signal.aborted) await sleep(50, undefined, { signal: term.signal }).catch(() => {});
  console.log('stopped sending');
}
await client.close();
