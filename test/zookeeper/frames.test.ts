import { expect, it } from 'vitest';
import { frameCutter } from '../../zookeeper/wire/frames.ts';
import { beatTimes, watchSilence } from '../../zookeeper/wire/heartbeat.ts';

const frame = (text: string) => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(text.length);
  return Buffer.concat([length, Buffer.from(text)]);
};

it('frames come out whole, however the bytes were cut', () => {
  const words = ['a', '', 'bb', 'c'.repeat(1_000), 'd'];
  const bytes = Buffer.concat(words.map(frame));
  for (let size = 1; size <= bytes.length; size += size < 20 ? 1 : 97) {
    const out: string[] = [];
    const cut = frameCutter((whole) => out.push(whole.subarray(4).toString()));
    for (let at = 0; at < bytes.length; at += size) cut(bytes.subarray(at, at + size));
    expect(out).toEqual(words);
  }
});

it('a length that no server sends is an error at once', () => {
  const cut = () => frameCutter(() => {}, 100);
  expect(() => cut()(Buffer.from('ffffffff', 'hex'))).toThrow('-1 bytes');
  expect(() => cut()(Buffer.from('00000065', 'hex'))).toThrow('101 bytes');
  const late = cut();
  late(Buffer.from('0000', 'hex'));
  expect(() => late(Buffer.from('ff00', 'hex'))).toThrow('65280 bytes');
});

it('silence is called before two thirds of the timeout, after at least one ping went unanswered', () => {
  for (const timeout of [1_000, 6_000, 30_000]) {
    const { pingMs, silentMs } = beatTimes(timeout);
    expect(silentMs).toBeLessThan((timeout * 2) / 3);
    expect(silentMs).toBeGreaterThan(2 * pingMs);
  }
});

it('silence counts the time a machine slept, which only the wall clock knows', () => {
  let [monotonic, wall] = [0, 1_000_000];
  const clock = { now: () => wall, monotonic: () => monotonic, after: () => () => {}, sleep: async () => {} };
  const silence = watchSilence(clock);
  monotonic += 100;
  wall += 100;
  expect(silence.forHowLong()).toBe(100);
  silence.heard();
  expect(silence.forHowLong()).toBe(0);
  wall += 60_000;
  expect(silence.forHowLong()).toBe(60_000);
  wall -= 120_000;
  expect(silence.forHowLong()).toBe(0);
});
