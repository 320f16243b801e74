import { expect, it } from 'vitest';
import { gitfleet } from '../support/commands.ts';
import { realServers } from '../support/zookeeper/server.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';

/* A real ensemble of three with a fourth server as observer. */
const real = realServers(3, { observers: 1 });
const open = sessionsForTest();
const wide = { timeout: 60_000 };
const status = (connect: string, ...words: string[]) => gitfleet(['zk', 'status', '-z', connect, ...words]);
const observer = () => `127.0.0.1:${real.servers.at(-1)?.port}`;

it('an observer is shown as one, beside leader and followers of an ensemble that serves', async () => {
  const shown = await status(real.connect());
  expect(shown).toMatchObject({ exitCode: 0, stderr: '' });
  const lines = shown.stdout.trimEnd().split('\n');
  expect(lines.at(-1)).toMatch(new RegExp(`^${observer()} {2}observer {2}version \\d`));
  expect(lines.map((line) => line.split('  ')[1]).toSorted()).toEqual(['follower', 'follower', 'leader', 'observer']);
  expect((await status(observer())).stdout).toContain('observer');
});

it('a whole app is used through an observer, and everyone sees what was written there', async () => {
  const there = ['-z', observer(), '--app', '/app/observed'];
  expect(await gitfleet(['init', '--open', ...there])).toMatchObject({ exitCode: 0 });
  const [through, beside] = [open(observer()), open(real.connect())];
  const seen: string[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const each of through.watch('/app/observed/flags', { signal: stop.signal }))
      if (each.exists && each.data.length > 0) seen.push(String(each.data));
  })();
  expect(await gitfleet(['flag', 'set', 'checkout', 'on', ...there])).toMatchObject({ exitCode: 0 });
  await expect.poll(() => seen.at(-1), wide).toContain('checkout');
  await beside.catchUp('/');
  expect(String((await beside.get('/app/observed/flags'))?.data)).toBe(seen.at(-1));
  stop.abort();
  await watching;
});

it('an ensemble that has lost its majority says that it has no leader, to zk status and doctor alike', async () => {
  const [first, second] = real.servers;
  await first?.stop();
  await second?.stop();
  const words = /no leader: 127\.0\.0\.1:\d+.* looks for one, which takes a majority of the voting servers/;
  await expect.poll(async () => (await status(real.connect())).stdout, wide).toMatch(words);
  expect((await status(real.connect())).exitCode).toBe(7);
  const doctor = await gitfleet(['doctor', '-z', real.connect(), '--app', '/app/observed', '--json']);
  const failing = doctor.stdout.split('\n').filter((line) => line.includes('"fail"'));
  expect(failing.join('\n')).toMatch(words);
  expect(doctor.exitCode).toBe(1);
  await Promise.all([first?.start(), second?.start()]);
  await expect.poll(async () => (await status(real.connect())).exitCode, wide).toBe(0);
});
