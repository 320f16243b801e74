import { describe, expect, it } from 'vitest';
import { parseConnectString } from '../../zookeeper/connect-string.ts';

describe('a connect string', () => {
  it.each([
    ['zk', ['zk:2181'], ''],
    ['zk1:2181,zk2:2182', ['zk1:2181', 'zk2:2182'], ''],
    [' zk1 , ZK2:2182 ,zk1:2181/app/', ['zk1:2181', 'zk2:2182'], '/app'],
    ['127.0.0.1:21811/', ['127.0.0.1:21811'], ''],
    ['[::1]:2181,[fe80::1]', ['::1:2181', 'fe80::1:2181'], ''],
    ['zk_1.docker_default:2181/a/b', ['zk_1.docker_default:2181'], '/a/b'],
  ])('%j is read', (text, hosts, chroot) => {
    const parsed = parseConnectString(text);
    expect(parsed.hosts.map(({ host, port }) => `${host}:${port}`)).toEqual(hosts);
    expect(parsed.chroot).toBe(chroot);
  });

  it.each([
    ['', 'names no host'],
    ['/app', 'names no host'],
    [':2181', 'no host name'],
    ['h:x', 'port'],
    ['h:0', 'port'],
    ['h:99999', 'port'],
    ['h:', 'port'],
    ['h:-1', 'port'],
    ['h:2181:2182', 'port'],
    ['h:2181/../x', 'dot segment'],
    ['h:2181//x', 'empty segment'],
    ['h,', 'comma'],
    ['h,,g', 'comma'],
    ['::1', 'no host name'],
    ['fe80::1:2181', 'port'],
    ['[zk]:2181', 'IPv6'],
    ['a b:2181', 'no host name'],
    ['zk\n:2181', 'no host name'],
    ['user@zk:2181', 'no host name'],
    ['http://zk:2181', 'empty segment'],
    ['http:zk:2181', 'port'],
    ['1.2.3:2181', 'no host name'],
    ['-zk', 'no host name'],
    ['zk..x', 'no host name'],
  ])('%j is refused with words', (text, words) => {
    expect(() => parseConnectString(text)).toThrow(
      expect.objectContaining({ code: 'BAD_CONNECT_STRING', next: 'stall', message: expect.stringContaining(words) }),
    );
  });
});

it('a connect string of ten thousand hosts is refused', () => {
  const text = Array.from({ length: 10_000 }, (_, n) => `h${n}`).join();
  expect(() => parseConnectString(text)).toThrow('it names 10000 hosts, 64 are the most');
});
