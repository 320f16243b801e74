// Calls shop/web again and again, each time at an instance that is picked at random from a list in memory. The list is
// kept by a watch, and on disk for the next start. A call that fails is counted: two of them put an instance aside.
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'gitfleet';

const client = connect({ zookeeper: process.env['ZOOKEEPER'] ?? '127.0.0.1:2181' });
const cache = process.env['CACHE'];
const caller = await client.services.caller('shop/web', cache === undefined ? {} : { cache });
let ended = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    ended = true;
  });
}

while (!ended) {
  try {
    const answer = await caller.call(({ host, port }) => ask(host, port));
    console.log(answer);
  } catch (error) {
    console.log(`failed: ${(error as Error).message}`);
  }
  await sleep(Number(process.env['PAUSE_MS'] ?? 1_000));
}
await caller.close();
await client.close();

function ask(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, timeout: 5_000 }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => resolve(text.trim()));
      answer.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', reject);
  });
}
