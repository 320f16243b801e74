import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Clock } from '../../runtime/clock.ts';
import { howItEnded } from '../../runtime/process.ts';
import { clean } from '../../runtime/safe-text.ts';
import type { HealthCheck } from '../../schemas/steps.ts';
import type { StepFacts, StepRunner } from './runner.ts';

/** One look by one check: null when all is well, else what is wrong. Never throws; ends within the check's timeout. */
export type Probe = (check: HealthCheck, facts: StepFacts, signal: AbortSignal) => Promise<string | null>;

export function createProbe(steps: StepRunner, clock: Clock): Probe {
  return async (check, facts, signal) => {
    if (check.http !== undefined) return await probeHttp(check.http, check.status, check.timeout, clock, signal);
    if (check.tcp !== undefined) return await probeTcp(check.tcp, check.timeout, clock, signal);
    const unit = check.unit;
    const command = check.command ?? ['systemctl', 'is-active', '--', unit as string];
    const result = await steps.check(command, check.timeout, facts, signal);
    if (result.ended === 'exit' && result.exitCode === 0) return null;
    const said = clean(result.stdout.toString('utf8').trim().slice(-300));
    return `${unit ?? command[0]} ${howItEnded(result, check.timeout)}${said === '' ? '' : `: ${said}`}`;
  };
}

function probeHttp(
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

function probeTcp(address: string, timeoutMs: number, clock: Clock, signal: AbortSignal): Promise<string | null> {
  return within(`tcp ${address}`, timeoutMs, clock, signal, (end, cut) => {
    const colon = address.lastIndexOf(':');
    const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
    const socket = connect({ host, port: Number(address.slice(colon + 1)) });
    socket.on('connect', () => end(null));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    cut(() => socket.destroy());
  });
}

/** Ends with the first answer, at the deadline or on abort, and cuts the line in every case. */
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
