import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { systemClock as clock } from '../../runtime/clock.ts';
import { serverStatus } from '../../zookeeper/wire/four-letter.ts';

it.each([
  ['an end', (socket: Socket) => socket.end()],
  ['a reset', (socket: Socket) => socket.resetAndDestroy()],
])('a server that closes at once, with %s, has too many connections', async (_, close) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    // After the word has come: what is unread then makes the difference on the wire.
    socket.once('data', () => close(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const [status] = await serverStatus([{ host: '127.0.0.1', port }], { timeoutMs: 5_000, clock });
  expect(status).toMatchObject({ role: 'unreachable', reason: expect.stringContaining('too many connections') });
  await new Promise((resolve) => server.close(resolve));
});
