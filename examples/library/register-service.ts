// A service that is in the list of shop/web while its port is open. At the end it leaves the list first, waits until no
// caller sends anything more, and closes then: no request is lost.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'gitfleet';

const client = connect({ zookeeper: process.env['ZOOKEEPER'] ?? '127.0.0.1:2181' });
const server = createServer((_, response) => response.end(`answered by ${process.pid}\n`));
const port = await new Promise<number>((resolve) => {
  server.listen(Number(process.env['PORT'] ?? 0), () => resolve((server.address() as AddressInfo).port));
});
const host = process.env['HOST'];
const instance = client.services.register('shop/web', { port, ...(host === undefined ? {} : { host }) });
instance.onChange(() => console.log(instance.problem ?? `registered: ${instance.name !== null}`));

await new Promise((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
});
const { unacknowledged } = await instance.leave({ atLeastMs: 0 });
console.log(`left, ${unacknowledged.length} did not acknowledge`);
await new Promise((resolve) => {
  server.close(resolve);
  server.closeIdleConnections();
});
await client.close();
