import { request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import type { Clock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { clean } from '../../runtime/safe-text.ts';

/** One request to a forge or a sink. `headers` may hold a secret: none of them, nor `body`, gets into an error. */
export interface Outgoing {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpReply {
  readonly status: number;
  readonly body: string;
}

/** What sends: replaced in tests of what is sent. */
export type Send = (outgoing: Outgoing, signal: AbortSignal) => Promise<HttpReply>;

export interface SendBounds {
  readonly clock: Pick<Clock, 'after'>;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Whether a secret may be sent there: encrypted, or on this machine. */
export const isSafe = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname));

/**
 * Sends one request and reads its reply, within bounds of time and size. A redirect is not followed: the secret was
 * given for this address. The reply may have any status. The address is not part of an error, because that of an
 * incoming webhook is a secret; its host is.
 * @throws FleetError NOT_DELIVERED (not reached, too slow), DELIVERY_REFUSED (not encrypted, reply too large)
 */
export const sendWithin =
  ({ clock, timeoutMs, maxBytes }: SendBounds): Send =>
  (outgoing, signal) => {
    if (!isSafe(outgoing.url)) return Promise.reject(deliveryRefused(outgoing, 'is not an https address'));
    return new Promise((resolve, reject) => {
      const end = (error: Error): void => {
        finish();
        reject(error);
        sending.destroy();
      };
      const onAbort = (): void => end(signal.reason as Error);
      const cancel = clock.after(timeoutMs, () => end(notDelivered(outgoing, `did not answer within ${timeoutMs} ms`)));
      const finish = (): void => {
        cancel();
        signal.removeEventListener('abort', onAbort);
      };
      const sending = start(outgoing);
      sending.on('error', (error: NodeJS.ErrnoException) =>
        end(notDelivered(outgoing, `cannot be reached: ${error.code}`)),
      );
      sending.on('response', (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          size += chunk.length;
          if (size > maxBytes) end(deliveryRefused(outgoing, `answered more than ${maxBytes} bytes`));
        });
        response.on('error', () => end(notDelivered(outgoing, 'broke off')));
        response.on('end', () => {
          finish();
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
        });
      });
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      else sending.end(outgoing.body);
    });
  };

function start({ url, method, headers, body }: Outgoing) {
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  const request = url.protocol === 'https:' ? requestTls : requestPlain;
  // A connection of its own: none is kept open between two deployments.
  return request(url, { method, agent: false, headers: { 'User-Agent': 'gitfleet', ...headers, ...length } });
}

/**
 * The reply if it says that all is well. 408, 425, 429 and 5xx are worth another try, every other status needs a person.
 * @throws FleetError NOT_DELIVERED or DELIVERY_REFUSED, with the status and the start of what the other side says.
 */
export function accepted(outgoing: Outgoing, reply: HttpReply): HttpReply {
  if (reply.status >= 200 && reply.status < 300) return reply;
  const said = clean(withoutSecrets(outgoing, reply.body), 200).replace(/\s+/g, ' ').trim();
  const words = `answered ${reply.status}${said === '' ? '' : `: ${said}`}`;
  const again = reply.status >= 500 || [408, 425, 429].includes(reply.status);
  throw again ? notDelivered(outgoing, words) : deliveryRefused(outgoing, words);
}

/** A reply may repeat what it was asked: the headers, the path. The values of headers and the path are masked in it. */
function withoutSecrets({ url, headers }: Outgoing, said: string): string {
  const path = url.pathname === '/' ? [] : [`${url.pathname}${url.search}`, url.pathname];
  const values = Object.values(headers).flatMap((value) => [value, ...value.split(' ').slice(1)]);
  const told = [...path, ...values].filter(({ length }) => length >= 8);
  return told.reduce((text, each) => text.replace(inJson(each), '***'), said);
}

/** Some servers write a slash in JSON with a backslash. */
const inJson = (text: string): RegExp =>
  new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('/', '\\\\*/'), 'g');

export const notDelivered = ({ url }: Pick<Outgoing, 'url'>, why: string) =>
  FleetError.of('NOT_DELIVERED', `${url.host} ${why}`);
export const deliveryRefused = ({ url }: Pick<Outgoing, 'url'>, why: string) =>
  FleetError.of('DELIVERY_REFUSED', `${url.host} ${why}`);
