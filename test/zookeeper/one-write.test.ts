import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { realServers } from '../support/zookeeper-server.ts';
import { sessionsForTest } from '../support/zookeeper-session.ts';

const real = realServers(1);
const open = sessionsForTest();

/** A line to the server that notes what arrives in one piece. */
async function listen(): Promise<{ connect: string; pieces: Buffer[] }> {
  const pieces: Buffer[] = [];
  const server = createServer((client) => {
    const behind = connect(real.first.port, '127.0.0.1');
    client.on('data', (piece: Buffer) => void pieces.push(piece));
    for (const socket of [client, behind]) socket.setNoDelay().on('error', () => {});
    client.pipe(behind).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { connect: `127.0.0.1:${(server.address() as AddressInfo).port}`, pieces };
}

it('what is asked in one go leaves in one write, in its order, and what is asked later in another', async () => {
  const line = await listen();
  const session = open(line.connect);
  await session.connected();
  await session.create('/asked', Buffer.from('0'), 'persistent');
  line.pieces.length = 0;
  const [first, , second] = await Promise.all([
    session.get('/asked'),
    session.set('/asked', Buffer.from('1'), 0),
    session.get('/asked'),
  ]);
  expect([first?.data.toString(), second?.data.toString()]).toEqual(['0', '1']);
  expect(line.pieces).toHaveLength(1);
  await session.get('/asked');
  expect(line.pieces).toHaveLength(2);
});
