// Workers with automatic leader election: each copy of this program works, and one of them also leads. The leader gives
// out the tasks and follows how far they are; the results are kept. Kill any of them: the others take over.
// Run on each machine: node workers.js; submit with: node workers.js submit "resize a.png"
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'gitfleet';

const client = connect({
  zookeeper: process.env['ZOOKEEPER'] ?? '127.0.0.1:2181',
  sessionTimeout: process.env['SESSION_TIMEOUT'] ?? '15s',
});
const tasks = await client.tasks('/shop/tasks', { attempts: 5, stalledAfterMs: 60_000 });
const [verb, text = ''] = process.argv.slice(2);

if (verb === 'submit') {
  const { done, data } = await tasks.result(await tasks.submit(text));
  console.log(`${done ? 'done' : 'failed'}: ${data}`);
} else {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const election = tasks.lead();
  election.onChange((term) => console.log(term ? 'leading' : 'not leading'));
  await tasks.work(perform, { signal: stop.signal, capacity: 2 });
  await election.leave();
}
await client.close();

/** It may run again after its worker died, so it only does what may be done twice. */
async function perform(task: { data: Buffer; attempt: number; progress(words: string): Promise<void> }) {
  console.log(`working on ${task.data}`);
  await task.progress('half done');
  await sleep(Number(process.env['WORK_MS'] ?? 100));
  return `${task.data} at attempt ${task.attempt}`;
}
