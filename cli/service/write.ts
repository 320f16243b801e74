import { hostname } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import { createLog, type Logger } from '../../runtime/log.ts';
import { newNonce } from '../../runtime/nonce.ts';
import { FORMATS, type Format } from '../../schemas/settings/service-settings.ts';
import { createFileWriter } from '../../services/write/file-writer.ts';
import { applyBySocket } from '../../services/write/haproxy-socket.ts';
import { type Apply, keepApplied } from '../../services/write/keep-applied.ts';
import { openSession } from '../../zookeeper/open-session.ts';
import type { Call } from '../command-table.ts';
import { commandEnvironment } from '../shell/command-environment.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { sessionAccess } from '../shell/session-access.ts';
import { readSettings } from '../shell/settings.ts';
import { holdSignals, onSignals } from '../shell/signals.ts';
import { usage } from '../shell/terminal.ts';
import { accessOf, serviceOf } from './operands.ts';

/**
 * `gitfleet service write NAME`: keeps a file, or the servers of a HAProxy backend, at the list of a service until it
 * is ended, in the foreground. What it has applied is acknowledged to the instances that leave.
 */
export async function run({ options, words }: Call): Promise<number> {
  holdSignals();
  const service = serviceOf(words);
  const settings = await readSettings(options);
  const log = createLog({ level: settings.log.level, bindings: { service } });
  const { apply, what } = applierOf(options, service, log);
  const allowed = await sessionAccess(settings);
  const session = openSession({ connect: settings.zookeeper.connect, ...allowed.session, clock, random, log });
  const stop = new AbortController();
  onSignals((signal) => {
    if (signal !== 'SIGHUP') stop.abort();
  });
  try {
    const parts = { session, service, access: accessOf(allowed), apply, clock, random, log };
    const id = `${hostname()
      .replace(/[^A-Za-z0-9._-]/g, '-')
      .slice(0, 60)}-${newNonce().slice(0, 8)}`;
    const cacheDirectory = options['cache'] === undefined ? null : resolve(String(options['cache']));
    await keepApplied({ ...parts, id, what: `${what} on ${hostname()}`, cacheDirectory }, stop.signal);
  } finally {
    await session.close();
    log.info('stopped');
  }
  return EXIT.converged;
}

function applierOf(options: Call['options'], service: string, log: Logger): { apply: Apply; what: string } {
  const socket = options['haproxySocket'] as string | undefined;
  if (socket !== undefined) {
    const backend = options['backend'] as string | undefined;
    if (backend === undefined) throw usage('--haproxy-socket needs --backend', 'the name of the backend in HAProxy');
    return { apply: bySocket(resolve(socket), backend, log), what: `backend ${backend} of ${socket}` };
  }
  const format = String(options['format']) as Format;
  if (!FORMATS.includes(format))
    throw usage(`--format must be one of ${FORMATS.join(', ')}`, 'or give --haproxy-socket');
  const out = options['out'] as string | undefined;
  if (out === undefined) throw usage('--out is missing', 'the file that the list is written to');
  const shell = (given: unknown) => (given === undefined ? undefined : ['sh', '-c', String(given)]);
  const rule = {
    ...{ service, format, out: isAbsolute(out) ? out : resolve(out) },
    ...{ check: shell(options['check']), reload: shell(options['reload']) },
    pidFile: options['pidFile'] as string | undefined,
  };
  return { apply: logged(createFileWriter(rule, commandEnvironment(), clock), log), what: `file ${rule.out}` };
}

function bySocket(socket: string, backend: string, log: Logger): Apply {
  return async (list) => {
    const left = await applyBySocket(socket, backend, list, clock);
    if (left.length > 0) log.error({ backend, without: left.map(({ name }) => name) }, 'no free server for instances');
    log.info({ state: list.state, instances: list.instances.length }, 'applied');
    return true;
  };
}

const logged =
  (apply: Apply, log: Logger): Apply =>
  async (list, signal) => {
    try {
      const acknowledged = await apply(list, signal);
      log.info({ state: list.state, instances: list.instances.length, acknowledged }, 'applied');
      return acknowledged;
    } catch (error) {
      log.warn({ err: classify(error) }, 'not applied');
      throw error;
    }
  };
