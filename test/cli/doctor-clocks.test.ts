import { expect, it } from 'vitest';
import { clockFinding, notCompared } from '../../cli/doctor/clocks.ts';

const AWAY = 'zk1:2181,zk2:2181,zk3:2181/fleet';
const HERE = '127.0.0.1:2181';

it.each([
  ['the same time elsewhere', [40, 3, AWAY], 'ok', "0.0 s apart from ZooKeeper's"],
  ['a small difference', [-2_300, 20, AWAY], 'ok', "2.3 s apart from ZooKeeper's"],
  [
    'ZooKeeper on this machine, or behind a tunnel',
    [0, 1, HERE],
    'ok',
    "0.0 s apart from ZooKeeper's; at a loopback address, that may be the same clock",
  ],
  ['by name', [0, 1, 'localhost:2181,[::1]:2182'], 'ok', /may be the same clock$/],
  ['one of several hosts on this machine', [0, 1, `${HERE},zk2:2181`], 'ok', "0.0 s apart from ZooKeeper's"],
  ['ahead', [7_000, 20, AWAY], 'warn', "this machine's clock is 7.0 s ahead of ZooKeeper's"],
  ['an hour behind', [-3_600_000, 20, AWAY], 'warn', "this machine's clock is 60 min behind ZooKeeper's"],
  [
    'far off at a loopback address',
    [-86_400_000 * 9, 1, HERE],
    'warn',
    "this machine's clock is 9 d behind ZooKeeper's",
  ],
  ['no more than a slow answer explains', [6_000, 4_000, AWAY], 'ok', "2.0 s apart from ZooKeeper's (known to 4.0 s)"],
  [
    'more than a slow answer explains',
    [60_000, 4_000, AWAY],
    'warn',
    "this machine's clock is 60 s ahead of ZooKeeper's (known to 4.0 s)",
  ],
] as const)('the clock of a server: %s', (_, [skewMs, uncertaintyMs, connect], verdict, says) => {
  const found = clockFinding({ skewMs, uncertaintyMs }, connect);
  expect(found).toMatchObject({
    check: 'clock',
    verdict,
    says: typeof says === 'string' ? says : expect.stringMatching(says),
  });
  expect(found.hint === null).toBe(verdict === 'ok');
});

it('a clock that was not compared is no good one', () => {
  expect(notCompared('it gives no session', 'run it again')).toMatchObject({
    verdict: 'warn',
    says: "not compared with ZooKeeper's: it gives no session",
  });
});
