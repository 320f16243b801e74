// A queue: `node queue.js put TEXT` puts, `node queue.js` takes until it is stopped. An item whose taker dies comes back.
import { connect } from 'gitfleet';

const [verb, text = ''] = process.argv.slice(2);
const client = connect({
  zookeeper: process.env['ZOOKEEPER'] ?? '127.0.0.1:2181',
  sessionTimeout: process.env['SESSION_TIMEOUT'] ?? '15s',
});
const queue = await client.queue('/shop/mails');

if (verb === 'put') console.log(await queue.put(text));
else {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  for await (const item of queue.items(stop.signal)) {
    try {
      // Another taker may have sent it before it died: send by `item.id`, so that the mail server knows it again.
      console.log(`sent ${item.data} at attempt ${item.attempt}`);
      await item.done();
    } catch {
      await item.giveBack(); // Changes nothing where another taker has it.
    }
  }
}
await client.close();
