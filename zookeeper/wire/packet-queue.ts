import ConnectionManager from 'node-zookeeper-client/lib/ConnectionManager.js';
import type { ConnectionOptions } from './connection-types.ts';

/**
 * The client package's part in one connection: it numbers and queues packets, and sends handshake and pings. It gets no
 * address and no watches. Its own ping timer is off: that one waits until the socket is idle in both directions, and
 * ours (heartbeat.ts) does not.
 */
export function createPacketQueue(
  options: Pick<ConnectionOptions, 'sessionTimeoutMs' | 'resume' | 'lastZxid' | 'auth'>,
  onState: (state: number) => void,
) {
  const { resume } = options;
  const manager = new ConnectionManager(
    'address.comes.with.the.socket:1',
    {
      sessionTimeout: options.sessionTimeoutMs,
      spinDelay: 0,
      ...(resume ? { sessionId: resume.id, sessionPassword: resume.password } : {}),
    },
    onState,
  );
  manager.xid = 1;
  manager.zxid.writeBigInt64BE(options.lastZxid);
  manager.watcherManager = { isEmpty: () => true };
  manager.updateTimeout = (ms) => {
    manager.sessionTimeout = ms;
    manager.pingTimeout = 0;
  };
  for (const { scheme, credential } of options.auth) manager.addAuthInfo(scheme, Buffer.from(credential));
  return manager;
}
