// A mutex around the update of a stack: read, compute, write, one program at a time. The guard is what makes it safe: ZooKeeper
// refuses the write of a holder that was frozen meanwhile and has lost the lock.
import { connect } from 'gitfleet';

const [push = 'item'] = process.argv.slice(2);
const client = connect({ zookeeper: process.env['ZOOKEEPER'] ?? '127.0.0.1:2181' });
await client.ensure('/shop/stack');
const lock = await client.lock('/shop/locks/stack', { content: String(process.pid) });
try {
  const found = await client.get('/shop/stack');
  const stack: string[] = found && found.data.length > 0 ? JSON.parse(String(found.data)) : [];
  const data = JSON.stringify([...stack, push]);
  await client.transact([lock.guard, { op: 'set', path: '/shop/stack', data, version: found?.stat.version ?? 0 }]);
  console.log(data);
} finally {
  await lock.release();
  await client.close();
}
