// A configuration client: one JSON document, checked before it is used. A document that is wrong changes nothing, and
// without ZooKeeper the program continues with what it has. Change it:
// gitfleet kv put /shop/configuration '{"timeoutMs":500,"banner":""}' --force
import { connect } from 'gitfleet';

interface Configuration {
  readonly timeoutMs: number;
  readonly banner: string;
}

let current: Configuration = { timeoutMs: 1_000, banner: '' };

const client = connect({ zookeeper: process.env['ZOOKEEPER'] ?? '127.0.0.1:2181' });
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

for await (const value of client.values.watch('/shop/configuration', { signal: stop.signal })) {
  const next = value && parse(value.data);
  if (next) current = next;
  console.log(next ? 'in use:' : 'kept:', JSON.stringify(current));
}
await client.close();

function parse(data: Buffer): Configuration | null {
  try {
    const { timeoutMs, banner } = JSON.parse(String(data)) as Record<string, unknown>;
    if (typeof timeoutMs !== 'number' || timeoutMs <= 0 || typeof banner !== 'string') return null;
    return { timeoutMs, banner };
  } catch {
    return null;
  }
}
