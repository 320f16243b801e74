// A barrier: `node barrier.js hold`, then any number of `node barrier.js wait`, and all of them continue at `release`.
import { connect } from 'gitfleet';

const [verb = 'wait'] = process.argv.slice(2);
const client = connect({ zookeeper: process.env['ZOOKEEPER'] ?? '127.0.0.1:2181' });
const gate = client.barrier('/shop/gates/migration');

if (verb === 'hold') console.log((await gate.hold()) ? 'held' : 'held already');
else if (verb === 'release') console.log((await gate.release()) ? 'released' : 'not held');
else {
  await gate.wait();
  console.log('passed');
}
await client.close();
