import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Clock } from '../runtime/clock.ts';
import { clean } from '../runtime/safe-text.ts';

/*
 * One look at something that listens: null if all is well, else what is wrong, in words. Never throws; ends within its
 * timeout and on abort, and leaves no socket open.
 */

/** GET: the status must be one of `wanted`, or 200 to 299. Redirects are not followed. */
export function lookHttp(
  url: string,
  wanted: readonly number[] | undefined,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | null> {
  return within(`GET ${url}`, timeoutMs, clock, signal, (end, cut) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    const asked = send(url, { agent: false, headers: { 'user-agent': 'gitfleet', connection: 'close' } }, (answer) => {
      const status = answer.statusCode ?? 0;
      const well = wanted ? wanted.includes(status) : status >= 200 && status <= 299;
      answer.destroy();
      end(well ? null : `answered ${status}`);
    });
    asked.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    cut(() => asked.destroy());
    asked.end();
  });
}

/** `host:port`: must accept a connection. */
export function lookTcp(address: string, timeoutMs: number, clock: Clock, signal: AbortSignal): Promise<string | null> {
  return within(`tcp ${address}`, timeoutMs, clock, signal, (end, cut) => {
    const colon = address.lastIndexOf(':');
    const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
    const socket = connect({ host, port: Number(address.slice(colon + 1)) });
    socket.on('connect', () => end(null));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    cut(() => socket.destroy());
  });
}

/** Ends with the first answer, at the deadline or on abort, and closes the connection in every case. */
function within(
  what: string,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
  begin: (end: (wrong: string | null) => void, cut: (action: () => void) => void) => void,
): Promise<string | null> {
  return new Promise((resolve) => {
    let cut = () => {};
    const end = (wrong: string | null) => {
      cancel();
      signal.removeEventListener('abort', aborted);
      resolve(wrong === null ? null : `${what}: ${clean(wrong, 200)}`);
      cut();
    };
    const aborted = () => end('given up');
    const cancel = clock.after(timeoutMs, () => end(`no answer within ${timeoutMs} ms`));
    signal.addEventListener('abort', aborted, { once: true });
    begin(end, (action) => {
      cut = action;
    });
    if (signal.aborted) aborted();
  });
}
