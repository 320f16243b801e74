import { describe, expect, it } from 'vitest';
import { createConsumerMemory } from '../../services/drain.ts';
import { chooseHost } from '../../services/host.ts';
import {
  addLook,
  fullDamping,
  NO_LOOKS,
  nextRegistration,
  takeToken,
  type Wellness,
} from '../../services/registration-rules.ts';

describe('the host of a service', () => {
  const lo = { address: '127.0.0.1', internal: true };
  const eth = { address: '10.0.0.1', internal: false };
  const v6 = { address: 'fd00::1', internal: false };
  const linkLocal = { address: 'fe80::1', internal: false };

  it.each([
    [undefined, [lo, eth], '10.0.0.1'],
    [undefined, [lo, eth, v6, linkLocal], '10.0.0.1'],
    [undefined, [lo, v6, linkLocal], 'fd00::1'],
    ['web-1.example.com', [lo], 'web-1.example.com'],
    ['10.9.9.9', [eth], '10.9.9.9'],
  ])('%s of %j is %s', (given, interfaces, host) => {
    expect(chooseHost(given, () => interfaces)).toBe(host);
  });

  it.each([[lo], [lo, linkLocal], [lo, eth, { address: '10.0.0.2', internal: false }]])(
    'is not guessed where it is not clear',
    (...interfaces) => {
      const unknown = expect.objectContaining({ code: 'HOST_UNKNOWN' });
      expect(() => chooseHost(undefined, () => interfaces)).toThrow(unknown);
    },
  );

  it('is asked of the system only without a setting, and a system that does not say ends with a hint', () => {
    const hidden = () => {
      throw new Error('uv_interface_addresses returned Unknown system error 97');
    };
    expect(chooseHost('10.9.9.9', hidden)).toBe('10.9.9.9');
    expect(() => chooseHost(undefined, hidden)).toThrow(expect.objectContaining({ code: 'HOST_UNKNOWN' }));
  });

  it.each([
    ...['127.0.0.1', '127.0.1.1', 'localhost', 'LocalHost.', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1'],
    ...['169.254.1.1', 'fe80::1', 'febf::1', '0.0.0.0', '::', 'a b', '', 'a;b'],
  ])('%j is refused', (host) => {
    expect(() => chooseHost(host, () => [eth])).toThrow(expect.objectContaining({ code: 'HOST_UNKNOWN' }));
  });
});

describe('when an instance registers', () => {
  it.each([
    [false, 'well', false, 'register'],
    [false, 'well', true, 'rest'],
    [false, 'unknown', true, 'rest'],
    [false, 'unknown', false, 'rest'],
    [false, { unwell: 'x' }, true, 'remove'],
    [false, { unwell: 'x' }, false, 'rest'],
    [true, 'well', false, 'rest'],
    [true, { unwell: 'x' }, true, 'rest'],
  ] as const)('held %s, %j, registered %s: %s', (held, health, registered, next) => {
    expect(nextRegistration({ held, byHand: false }, health as Wellness, registered)).toBe(next);
    const byHand = nextRegistration({ held, byHand: true }, health as Wellness, registered);
    expect(byHand).toBe(registered && !held ? 'remove' : 'rest');
  });

  it('the first good look decides, bad ones have to come in a row', () => {
    const rule = { rise: 2, fall: 2 };
    const seen = (...looks: (string | null)[]) =>
      looks.reduce((before, wrong) => addLook(before, wrong, rule), NO_LOOKS).health;
    expect(seen(null)).toBe('well');
    expect(seen('x')).toBe('unknown');
    expect(seen('x', 'x')).toEqual({ unwell: 'x' });
    expect(seen(null, 'x')).toBe('well');
    expect(seen(null, 'x', null, 'x')).toBe('well');
    expect(seen(null, 'x', 'y')).toEqual({ unwell: 'y' });
    expect(seen('x', 'x', null)).toEqual({ unwell: 'x' });
    expect(seen('x', 'x', null, null)).toBe('well');
  });

  it('flapping is damped after five, and the wait is told', () => {
    let damping = fullDamping(0);
    const waits = Array.from({ length: 6 }, () => {
      const taken = takeToken(damping, 0);
      damping = taken.damping;
      return taken.waitMs;
    });
    expect(waits).toEqual([0, 0, 0, 0, 0, 10_000]);
    expect(takeToken(damping, 10_000).waitMs).toBe(0);
  });
});

it('a consumer that missed two drains is not waited for until it acknowledges again', () => {
  const memory = createConsumerMemory();
  memory.note(['a'], 0);
  memory.judge('a', 5n, false);
  expect(memory.missedBy('a')).toBeNull();
  memory.judge('a', 7n, false);
  expect(memory.missedBy('a')).toBe(7n);
  memory.judge('a', 9n, true);
  expect(memory.missedBy('a')).toBeNull();
});

it('a drain asks at most 10,000 consumers, first those that acknowledged before', () => {
  const memory = createConsumerMemory();
  const ids = Array.from({ length: 12_000 }, (_, at) => `c${at}`);
  expect(memory.note(ids, 0)).toEqual(ids.slice(0, 10_000));
  memory.judge('c11999', 5n, true);
  expect(memory.note(ids, 1).slice(0, 2)).toEqual(['c11999', 'c0']);
});
