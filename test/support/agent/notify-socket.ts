import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from '../until.ts';

/** A real unix datagram socket, for NOTIFY_SOCKET. */
export interface NotifySocket {
  readonly path: string;
  /**
   * Every message so far, each a list of its assignments. Without those that only confirm receipt to systemd-notify.
   */
  readonly heard: readonly (readonly string[])[];
  /** Waits for a message with this assignment, after the first `from` messages; resolves to its index. */
  hears(assignment: string | RegExp, from?: number): Promise<number>;
  close(): void;
}

export async function listenForNotices(): Promise<NotifySocket> {
  const directory = mkdtempSync(join(tmpdir(), 'gitfleet-notify-'));
  const path = join(directory, 'socket');
  const child = spawn('/usr/bin/python3', [join(import.meta.dirname, 'notify-socket.py'), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const heard: string[][] = [];
  let bound = false;
  createInterface(child.stdout).on('line', (line) => {
    const assignments = JSON.parse(line) as string[];
    bound = true;
    if (assignments.length > 0 && assignments[0] !== 'BARRIER=1') heard.push(assignments);
  });
  await until('the socket is bound', async () => bound);
  return {
    path,
    heard,
    hears: async (assignment, from = 0) =>
      await until(`the manager hears ${assignment}`, async () => {
        const fits = (each: string) => (typeof assignment === 'string' ? each === assignment : assignment.test(each));
        const at = heard.findIndex((message, n) => n >= from && message.some(fits));
        if (at < 0) throw new Error(JSON.stringify(heard));
        return { at };
      }).then(({ at }) => at),
    close() {
      child.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
