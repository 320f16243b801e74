import { createHmac } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../../runtime/clock.ts';
import { sendToForge } from '../../../serve/forges/open-forge.ts';
import { idOf } from '../../../serve/tell/event.ts';
import { eventsOf } from '../../../serve/tell/events.ts';
import type { Message } from '../../../serve/tell/note.ts';
import { createCommand } from '../../../serve/tell/sinks/command.ts';
import { createForgeSink } from '../../../serve/tell/sinks/forge.ts';
import { createSlack } from '../../../serve/tell/sinks/slack.ts';
import { createWebhook } from '../../../serve/tell/sinks/webhook.ts';
import type { ToldView } from '../../../serve/tell/view.ts';
import '../../support/lanes/starts-processes.ts';
import { type FakeForge, startFakeForge } from '../../support/serve/fake-forge.ts';
import { APP, agentOf, COMMIT, NOW, outcomeOf, QUIET, recordOf, rolloutOf } from '../../support/serve/told-view.ts';
import { until } from '../../support/until.ts';

const KEY = Buffer.alloc(32, 7);
const SECRET = `whsec_${KEY.toString('base64')}`;
const page = 'https://deploy.example.com';
const takes = () => true;
const never = new AbortController().signal;
const send = sendToForge(clock);

let receiver: FakeForge;
let directory: string;
const secretFile = (name: string, text: string): string => {
  const file = join(directory, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gitfleet-sinks-'));
  receiver = await startFakeForge();
});
beforeEach(() => receiver.reset());
afterAll(async () => {
  await receiver.close();
  rmSync(directory, { recursive: true });
});

const messagesOf = (view: ToldView): Message[] =>
  eventsOf(APP, view, NOW).map((event) => ({ id: idOf(event.key), keys: [event.key], event }));
const DEPLOYED: ToldView = { ...QUIET, history: [recordOf(12, NOW - 1_000, outcomeOf('proven', NOW))] };
const [begun, proven] = messagesOf(DEPLOYED) as [Message, Message];

describe('a webhook', () => {
  it('gets a CloudEvent whose signature a receiver of Standard Webhooks verifies', async () => {
    const parts = { name: 'ops', secretFile: secretFile('key', `${SECRET}\n`), environment: 'production', page };
    await createWebhook({ ...parts, url: `${receiver.url}/in`, send, clock, takes }).send(proven, never);
    const [got] = receiver.got;
    const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = got?.headers ?? {};
    expect(id).toBe(proven.id);
    expect(Math.abs(Number(at) - Date.now() / 1_000)).toBeLessThan(60);
    const mac = createHmac('sha256', KEY)
      .update(`${id}.${at}.${JSON.stringify(got?.body)}`)
      .digest('base64');
    expect(signature).toBe(`v1,${mac}`);
    expect(got?.headers['content-type']).toMatch('application/cloudevents+json');
    expect(got?.body).toMatchObject({ id: proven.id, type: 'dev.cdevents.service.deployed.0.2.0' });
    expect(JSON.stringify([got?.headers, got?.body])).not.toContain(SECRET);
  });

  it('is not sent to with a key that is too short', async () => {
    const parts = { name: 'ops', secretFile: secretFile('short', 'whsec_c2hvcnQ='), environment: 'x', page };
    const sink = createWebhook({ ...parts, url: `${receiver.url}/in`, send, clock, takes });
    await expect(sink.send(proven, never)).rejects.toMatchObject({ code: 'SETTINGS' });
    expect(receiver.got).toEqual([]);
  });
});

it('Slack gets a text; its address, which is a secret, is in no failure', async () => {
  const urlFile = secretFile('slack', `${receiver.url}/services/T0/B0/canary`);
  const sink = createSlack({ name: 'chat', urlFile, page, send, takes });
  await sink.send(proven, never);
  expect(receiver.got[0]).toMatchObject({ path: '/services/T0/B0/canary', body: { text: expect.any(String) } });
  receiver.answer = () => [404, { error: 'no_service' }];
  const error = await sink.send(proven, never).catch((thrown: Error) => thrown);
  expect(error).toMatchObject({ code: 'DELIVERY_REFUSED' });
  expect(String(error)).not.toContain('canary');
  for (const path of ['/services/T0/B0/canary', '\\/services\\/T0\\/B0\\/canary']) {
    receiver.answer = () => [404, { error: 'Cannot POST', path }];
    const echoed = await sink.send(proven, never).catch((thrown: Error) => thrown);
    expect(String(echoed)).toContain('Cannot POST');
    expect(String(echoed)).not.toContain('canary');
  }
});

describe('a command', () => {
  const commandOf = (command: string[], timeoutMs = 10_000) =>
    createCommand({ name: 'mail', command, timeoutMs, page, path: process.env['PATH'] ?? '', clock, takes });

  it('gets the event as one line of JSON, and PATH alone of the environment', async () => {
    const out = join(directory, 'out');
    await commandOf(['sh', '-c', `cat > ${out}; env >> ${out}`]).send(proven, never);
    const [line, ...rest] = readFileSync(out, 'utf8').split('\n');
    expect(JSON.parse(line ?? '')).toMatchObject({ id: proven.id, what: 'proven', deployment: { number: 12 }, page });
    expect(rest.filter((each) => each !== '' && !/^(PATH|LC_ALL|PWD|SHLVL|_|OLDPWD)=/.test(each))).toEqual([]);
  });

  it('that fails or does not exist is tried again; the end of what it said is in the failure', async () => {
    const failing = commandOf(['sh', '-c', 'echo no route >&2; exit 3']);
    await expect(failing.send(proven, never)).rejects.toMatchObject({
      code: 'NOT_DELIVERED',
      message: 'sh exited with 3: no route',
    });
    await expect(commandOf(['/does/not/exist']).send(proven, never)).rejects.toMatchObject({ code: 'NOT_DELIVERED' });
  });

  it('ends at its deadline with all that it started', async () => {
    const pid = join(directory, 'pid');
    const slow = commandOf(['sh', '-c', `sleep 1000 & echo $! > ${pid}; wait`], 300);
    await expect(slow.send(proven, never)).rejects.toMatchObject({ code: 'NOT_DELIVERED' });
    const child = Number(readFileSync(pid, 'utf8'));
    await until('the child of the command ends', async () => !existsSync(`/proc/${child}`));
  });
});

describe('a forge', () => {
  const sinkOf = () => {
    const tokenFile = secretFile('token', 'forge-token-canary');
    const account = { prefix: 'https://github.com/acme', kind: 'github', api: receiver.url, environment: 'production' };
    let at = 0;
    const sink = createForgeSink({
      app: APP,
      accounts: [{ ...account, kind: 'github', tokenFile }],
      page,
      send,
      clock: { monotonic: () => at },
    });
    return { sink, later: (ms: number) => (at += ms) };
  };
  const running = (reached: number): ToldView => ({
    ...QUIET,
    history: [recordOf(12, NOW)],
    rollout: rolloutOf(12, 'running'),
    agents: new Map([['web-7', { ...agentOf(1), standing: 'failed', error: { code: 'HEALTH_FAILED' } }]]),
    reached,
    expected: 1_000,
  });
  const described = () =>
    receiver.got
      .filter(({ method, path }) => method === 'POST' && path.includes('/deployments/'))
      .map(({ body }) => `${body['state']} ${body['description']}`);

  it('gets one opening, at most one update each 30 s, one ending, and the page', async () => {
    const { sink, later } = sinkOf();
    await sink.send(begun, never);
    await sink.progress?.(running(1), never);
    later(30_000);
    await sink.progress?.(running(998), never);
    await sink.progress?.(running(999), never);
    later(30_000);
    await sink.progress?.(running(998), never);
    await sink.send(proven, never);
    await sink.progress?.({ ...DEPLOYED, rollout: rolloutOf(12, 'proven') }, never);
    expect(described()).toEqual([
      'in_progress d-12',
      'in_progress d-12: 998/1000, 1 failed (web-7: HEALTH_FAILED)',
      'success d-12: proven, 1000/1000',
    ]);
    expect(receiver.told().filter((line) => line === 'POST /repos/acme/shop/deployments')).toHaveLength(1);
    expect(receiver.told().filter((line) => line.startsWith(`POST /repos/acme/shop/statuses/${COMMIT}`))).toEqual([
      `POST /repos/acme/shop/statuses/${COMMIT} pending`,
      `POST /repos/acme/shop/statuses/${COMMIT} pending`,
      `POST /repos/acme/shop/statuses/${COMMIT} success`,
    ]);
  });

  it('is told deployments of its own repositories, and nothing else', () => {
    const { sink } = sinkOf();
    const elsewhere = recordOf(13, NOW);
    const target = { ...elsewhere.target, url: 'https://git.example.com/x/y' };
    const [other] = messagesOf({ ...QUIET, history: [{ ...elsewhere, target }] });
    const [hold] = messagesOf({
      ...QUIET,
      acts: [{ number: 1, kind: 'hold', by: 'ada', reason: '', at: NOW, what: '' }],
    });
    expect([begun, proven, other, hold].map((message) => sink.takes(message as Message))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
