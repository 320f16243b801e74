// A feature switch: the flags of an app are kept in this program, so asking one waits for nothing. Without ZooKeeper the
// last ones count: from memory, at the start from the file of this server's agent, and only then the default given here.
// Switch it: gitfleet flag set checkout on
import { connect } from 'gitfleet';

const client = connect({ zookeeper: process.env['ZOOKEEPER'] ?? '127.0.0.1:2181' });
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
const file = process.env['FLAGS_FILE'] ?? '/srv/www/.gitfleet/app+business/flags.json';
const flags = await client.flags.watch(process.env['APP'] ?? '/app/business', { file });

const show = () => {
  const isOn = flags.value('checkout', false);
  const share = flags.value('banner', false, { targetingKey: 'user-17' });
  console.log(`${flags.state}: checkout ${isOn ? 'on' : 'off'}, banner ${share ? 'on' : 'off'} for user-17`);
};
show();
flags.onChange(show);
await new Promise((resolve) => stop.signal.addEventListener('abort', resolve));
await client.close();
