import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, inject } from 'vitest';
import { systemClock as clock, systemRandom as random } from '../../../runtime/clock.ts';
import { openSession } from '../../../zookeeper/open-session.ts';
import type { Session } from '../../../zookeeper/session.ts';
import { silentLog as log } from '../log.ts';
import '../lanes/starts-processes.ts';

/** Where a proxy leads: a port, and the part of the tree that sessions through it see. */
export interface Way {
  readonly port: number;
  readonly chroot: string;
}

interface SharedServer extends Way {
  /** Below the chroot of the calling test; in `beforeAll`, below one for the whole file. */
  connect(chroot?: string): string;
}

/**
 * The ZooKeeper of this worker, for tests that leave it as it is: it also serves the files before and after this one.
 * Each test has its own new, open chroot. A file that kills, freezes, restarts, configures or counts on its server
 * starts its own (server.ts).
 */
export function sharedServer(): SharedServer {
  let address: string;
  let session: Session;
  let chroot = '';
  let count = 0;
  const name = Math.random().toString(36).slice(2, 10);

  async function newChroot(): Promise<void> {
    const next = `/${name}-${count++}`;
    await session.create(next, Buffer.alloc(0), 'persistent');
    chroot = next;
  }

  beforeAll(async () => {
    address = await addressOfServer();
    session = openSession({ connect: address, defaultAcl: 'open', clock, random, log });
    await newChroot();
  });
  beforeEach(newChroot);
  afterAll(() => session?.close());

  return {
    connect: (below = '') => address + chroot + below,
    get port() {
      return Number(address.split(':').at(-1));
    },
    get chroot() {
      return chroot;
    },
  };
}

/** Requested from the main process, which starts it at the first request of this worker (of-workers.ts). */
function addressOfServer(): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(inject('zookeeperOfWorker'), () => socket.write(process.env['VITEST_POOL_ID'] ?? '1'));
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
    });
    socket.on('error', reject).on('end', () => {
      if (/^[\d.]+:\d+$/.test(answer)) resolve(answer);
      else reject(new Error(`the ZooKeeper of this worker: ${answer || 'no answer'}`));
    });
  });
}
