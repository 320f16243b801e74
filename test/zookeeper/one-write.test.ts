import { Socket } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const real = sharedServer();
const open = sessionsForTest();
afterEach(() => vi.restoreAllMocks());

it('what is asked in one go leaves in one write, in its order, and what is asked later in another', async () => {
  const session = open(real.connect());
  await session.connected();
  await session.create('/asked', Buffer.from('0'), 'persistent');
  // Node calls one of these for each write to the system. A ping is no answer to anybody: 12 bytes, told apart by that.
  const writes: number[] = [];
  const count = ({ remotePort }: Socket, bytes: number) => {
    if (remotePort === real.port && bytes > 12) writes.push(bytes);
  };
  const { _write, _writev } = Socket.prototype;
  vi.spyOn(Socket.prototype, '_write').mockImplementation(function (this: Socket, chunk, encoding, done) {
    count(this, chunk.length);
    _write.call(this, chunk, encoding, done);
  });
  vi.spyOn(Socket.prototype as Required<Socket>, '_writev').mockImplementation(function (this: Socket, chunks, done) {
    count(
      this,
      chunks.reduce((sum, { chunk }) => sum + chunk.length, 0),
    );
    _writev?.call(this, chunks, done);
  });
  const [first, , second] = await Promise.all([
    session.get('/asked'),
    session.set('/asked', Buffer.from('1'), 0),
    session.get('/asked'),
  ]);
  expect([first?.data.toString(), second?.data.toString()]).toEqual(['0', '1']);
  expect(writes).toHaveLength(1);
  await session.get('/asked');
  expect(writes).toHaveLength(2);
});
