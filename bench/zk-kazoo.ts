import { spawnSync } from 'node:child_process';

/**
 * The same question put to kazoo, where Python has it: 200 watching sessions (it needs threads for each, a thousand
 * are not what it is for), one set, time until all have read the new value.
 */
export function kazooLine(connect: string, rounds: number): string {
  for (const python of ['python3', '/usr/bin/python3']) {
    const run = spawnSync(python, ['-c', PROGRAM, connect, String(rounds)], { encoding: 'utf8', timeout: 120_000 });
    if (run.status === 0) return run.stdout.trim();
  }
  return 'kazoo: not installed (Debian: python3-kazoo)';
}

const PROGRAM = `
import sys, time, threading
from kazoo.client import KazooClient
connect, rounds = sys.argv[1], int(sys.argv[2])
writer = KazooClient(hosts=connect); writer.start()
writer.create('/kazoo', b'0' * 2000)
clients = [KazooClient(hosts=connect) for _ in range(200)]
state = {'value': None, 'count': 0}
lock, all_here = threading.Lock(), threading.Event()
def seen(data, stat):
    with lock:
        if data == state['value']:
            state['count'] += 1
            if state['count'] == len(clients): all_here.set()
for c in clients:
    c.start()
    c.DataWatch('/kazoo', seen)
times = []
for n in range(rounds):
    value = str(n + 1).ljust(2000).encode()
    with lock: state['value'], state['count'] = value, 0
    all_here.clear()
    start = time.monotonic()
    writer.set('/kazoo', value)
    all_here.wait(30)
    times.append((time.monotonic() - start) * 1000)
times.sort()
print('kazoo, 200 sessions: set to all min %.1f ms, median %.1f ms, max %.1f ms' % (times[0], times[len(times) // 2], times[-1]))
for c in clients: c.stop()
writer.stop()
`;
