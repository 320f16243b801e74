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
  /** Why a server is unreachable. */
  readonly reason?: string;
  /** It answers that it does not serve: it has no leader and is looking for one. */
  readonly looking?: true;
}

/**
 * Sends one of the server's four-letter commands (`srvr`, `mntr`, `cons` ...) over its own socket; needs no session.
 * The server's `4lw.commands.whitelist` decides which ones it answers. Rejects if the connection is refused, and at the
 * deadline.
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
    let connected = false;
    socket.on('connect', () => {
      connected = true;
      socket.write(word);
    });
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A server that closes at once, before it has read the word, answers with a reset: it gave no answer.
      if (connected && (error.code === 'ECONNRESET' || error.code === 'EPIPE')) return;
      reject(error);
    });
    socket.on('close', () => {
      cancel();
      resolve(Buffer.concat(chunks).toString('utf8'));
    });
  });
}

/** Asks all hosts for their roles in parallel; never rejects. */
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
    const looking = role === 'read-only' || /not currently serving requests/.test(answer);
    return { host, port, role: 'unreachable', reason: unusable(role, answer), ...(looking ? { looking } : {}) };
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

export const CLOSED_AT_ONCE = 'it closed the connection without an answer';

function unusable(mode: string | undefined, answer: string): string {
  if (mode === 'read-only') return 'it is read-only: it has lost its quorum';
  if (mode !== undefined) return `it answers in mode ${mode.slice(0, 60)}`;
  return (
    answer.trim().split('\n')[0]?.slice(0, 200) ||
    `${CLOSED_AT_ONCE}: too many connections from here, or not a plain port of ZooKeeper`
  );
}

/** A server as in a connect string: an IPv6 address is in brackets. */
export function serverName({ host, port }: Pick<ServerStatus, 'host' | 'port'>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether the hosts are one ensemble that serves. */
export interface EnsembleJudgement {
  /** `broken`: some answer, but not as one ensemble. Unreachable servers do not make it broken. */
  readonly is: 'serving' | 'broken' | 'away';
  /** Why they are not one ensemble that serves; empty where they are. */
  readonly trouble: readonly string[];
  /** What may be as it should be. */
  readonly notes: readonly string[];
  /** What a person should know, worst first: trouble, notes, unreachable servers; empty if all is well. */
  readonly words: readonly string[];
}

export function judgeRoles(statuses: readonly ServerStatus[]): EnsembleJudgement {
  const of = (role: ServerRole) => statuses.filter((status) => status.role === role);
  const unreachable = of('unreachable');
  const none = unreachable.length === statuses.length;
  const trouble = statuses.length > 1 ? contradictions(statuses, of) : [];
  const leaderless = !none && statuses.length > 1 && of('leader').length === 0 && of('standalone').length === 0;
  const notes = leaderless && trouble.length === 0 ? ['none of the hosts that answer is the leader'] : [];
  const away = unreachable.map((one) => `${serverName(one)} is unreachable: ${one.reason ?? 'no answer'}`);
  return {
    is: none ? 'away' : trouble.length > 0 ? 'broken' : 'serving',
    trouble,
    notes,
    words: [...trouble, ...notes, ...away],
  };
}

function contradictions(
  statuses: readonly ServerStatus[],
  of: (role: ServerRole) => readonly ServerStatus[],
): string[] {
  const alone = of('standalone').map(
    (one) =>
      `${serverName(one)} answers standalone although ${statuses.length} hosts are given: it is not part of the ` +
      'ensemble and keeps data of its own; check the server.N lines of its zoo.cfg and its myid',
  );
  const leaders = of('leader').map(serverName);
  const two = leaders.length > 1 ? [`more than one leader (${leaders.join(', ')}): these are two ensembles`] : [];
  const looking = statuses.filter((status) => status.looking === true).map(serverName);
  const isLedHere = leaders.length > 0 || of('standalone').length > 0;
  const no = looking.length > 0 && !isLedHere ? [`no leader: ${looking.join(', ')} looks for one${MAJORITY}`] : [];
  return [...alone, ...two, ...no];
}

const MAJORITY = ', which takes a majority of the voting servers';
