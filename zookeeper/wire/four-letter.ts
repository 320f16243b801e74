import { connect } from 'node:net';
import type { Clock } from '../../runtime/clock.ts';

export type ServerRole = 'leader' | 'follower' | 'observer' | 'standalone' | 'unreachable';

export interface ServerStatus {
  readonly host: string;
  readonly port: number;
  readonly role: ServerRole;
  readonly version?: string;
  readonly zxid?: string;
  readonly connections?: number;
  /** Why a server is unreachable, in words. */
  readonly reason?: string;
}

/**
 * One of the server's administrative words (`srvr`, `mntr`, `cons` ...), asked over a socket of its own: it needs no
 * session. Which words a server answers is its `4lw.commands.whitelist`. Rejects on refusal and at the deadline.
 */
export function askServer(
  host: string,
  port: number,
  word: string,
  options: { timeoutMs: number; clock: Clock },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host, port });
    const cancel = options.clock.after(options.timeoutMs, () =>
      socket.destroy(new Error(`${host}:${port} did not answer ${word} within ${options.timeoutMs} ms`)),
    );
    socket.on('connect', () => socket.write(word));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => {
      cancel();
      resolve(Buffer.concat(chunks).toString('utf8'));
    });
  });
}

/** Asks every host for its role at once; never rejects. */
export function serverStatus(
  hosts: readonly { host: string; port: number }[],
  options: { timeoutMs: number; clock: Clock },
): Promise<ServerStatus[]> {
  return Promise.all(
    hosts.map(async ({ host, port }) => {
      try {
        return readStatus(host, port, await askServer(host, port, 'srvr', options));
      } catch (error) {
        return { host, port, role: 'unreachable' as const, reason: (error as Error).message };
      }
    }),
  );
}

function readStatus(host: string, port: number, answer: string): ServerStatus {
  const field = (name: string) => new RegExp(`^${name}: *(.+)$`, 'm').exec(answer)?.[1];
  const role = field('Mode');
  if (role !== 'leader' && role !== 'follower' && role !== 'observer' && role !== 'standalone') {
    return { host, port, role: 'unreachable', reason: answer.trim().slice(0, 200) || 'it closed without an answer' };
  }
  const version = field('Zookeeper version')?.split(/[-,]/)[0];
  const zxid = field('Zxid');
  const connections = field('Connections');
  return {
    host,
    port,
    role,
    ...(version ? { version } : {}),
    ...(zxid ? { zxid } : {}),
    ...(connections ? { connections: Number(connections) } : {}),
  };
}

/** What a person should know about these roles, worst first; empty when all is as it should be. */
export function explainRoles(statuses: readonly ServerStatus[]): string[] {
  const name = (status: ServerStatus) => `${status.host}:${status.port}`;
  const of = (role: ServerRole) => statuses.filter((status) => status.role === role);
  const found: string[] = [];
  if (statuses.length > 1) {
    for (const alone of of('standalone')) {
      found.push(
        `${name(alone)} answers standalone though ${statuses.length} hosts are given: it is not part of the ensemble ` +
          'and keeps data of its own; check the server.N lines of its zoo.cfg and its myid',
      );
    }
    if (of('leader').length > 1)
      found.push(`more than one leader (${of('leader').map(name).join(', ')}): two ensembles`);
    if (of('leader').length === 0 && of('follower').length > 0) found.push('none of these hosts is the leader');
  }
  for (const away of of('unreachable')) found.push(`${name(away)} is unreachable: ${away.reason ?? 'no answer'}`);
  return found;
}
