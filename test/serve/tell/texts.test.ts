import { expect, it } from 'vitest';
import { cloudEventOf } from '../../../serve/tell/cloud-event.ts';
import { idOf, type ToldEvent } from '../../../serve/tell/event.ts';
import { eventsOf } from '../../../serve/tell/events.ts';
import type { Message } from '../../../serve/tell/note.ts';
import { slackText } from '../../../serve/tell/sinks/slack.ts';
import { textOf } from '../../../serve/tell/text.ts';
import type { ToldView } from '../../../serve/tell/view.ts';
import { APP, NOW, outcomeOf, QUIET, recordOf, rolloutOf } from '../../support/serve/told-view.ts';

const PAGE = 'https://deploy.example.com';
const HOSTILE = '<!channel> @channel @Here, \u202egnp.exe\u001b[31m https://user:secret@git.example.com/x';
const failing = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ agentId: `web-${at + 1}`, code: at % 2 ? 'HEALTH_FAILED' : 'NO_SPACE' }));

const last = (view: Partial<ToldView>): ToldEvent => {
  const event = eventsOf(APP, { ...QUIET, ...view }, NOW).at(-1);
  if (event === undefined) throw new Error('nothing is told');
  return event;
};
const ended = (state: string, rest: Parameters<typeof outcomeOf>[2] = {}) =>
  last({ history: [recordOf(12, NOW - 5_000, outcomeOf(state, NOW, rest))] });
const act = (kind: string) =>
  last({ acts: [{ number: 3, kind, by: 'ada', reason: 'release freeze', at: NOW, what: '' }] });
const silence = (agents: number): ToldEvent => ({
  ...act('hold'),
  what: 'agents-silent',
  by: '',
  reason: 'been silent for 10 min',
  agents: failing(agents).map(({ agentId }) => ({ agentId, code: '' })),
});

const EVENTS: Readonly<Record<string, ToldEvent>> = {
  begun: last({ history: [recordOf(12, NOW)] }),
  'begun, back to d-9': last({ history: [{ ...recordOf(12, NOW), returnsTo: 9, reason: '' }] }),
  proven: ended('proven'),
  failed: ended('failed', { reached: 998, missing: failing(2), reason: '2 agents failed' }),
  'failed, 500 agents': ended('failed', { reached: 500, missing: failing(20) }),
  'rolled back': ended('rolled-back', { reached: 3, expected: 10, missing: failing(1), reason: 'the canary failed' }),
  aborted: ended('aborted', { by: 'ada', reason: 'wrong branch', reached: 1 }),
  superseded: ended('superseded', { reached: 400 }),
  'timed out': ended('timed-out', { reached: 999, missing: failing(1) }),
  halted: last({
    history: [recordOf(12, NOW - 5_000)],
    rollout: rolloutOf(12, 'halted', { reason: '2 agents failed, 1 may', failures: failing(2) }),
    reached: 5,
    expected: 10,
  }),
  'hold set': act('hold'),
  'hold lifted': act('unhold'),
  'one agent silent': silence(1),
  '500 agents silent': silence(500),
  hostile: { ...ended('failed', { by: HOSTILE, reason: HOSTILE, missing: [{ agentId: HOSTILE, code: HOSTILE }] }) },
};

it('says each event in the words of its golden', async () => {
  const texts = Object.entries(EVENTS).map(([name, event]) => `--- ${name}\n${textOf(event)}\n`);
  await expect(texts.join('\n')).toMatchFileSnapshot('golden/texts.txt');
});

it('says it to Slack without a mention, a link or a control character of another program', async () => {
  const texts = ['failed', 'hostile'].map((name) => slackText(EVENTS[name] as ToldEvent, PAGE));
  await expect(`${texts.join('\n\n')}\n`).toMatchFileSnapshot('golden/slack.txt');
  expect(texts.join('')).not.toMatch(/<!|@channel|@Here|\u202e|\u001b|secret/);
});

it('sends each event as CloudEvents 1.0 with CDEvents 0.4 in the form of its golden', async () => {
  const messageOf = (event: ToldEvent): Message => ({ id: idOf(event.key), keys: [event.key], event });
  const events = ['begun', 'proven', 'rolled back', 'halted', 'hold set', 'one agent silent'].map((name) =>
    cloudEventOf(messageOf(EVENTS[name] as ToldEvent), 'production', PAGE),
  );
  await expect(`${JSON.stringify(events, null, 2)}\n`).toMatchFileSnapshot('golden/cloud-events.txt');
  for (const event of events) {
    expect(event).toMatchObject({ specversion: '1.0', data: { context: { id: event.id, type: event.type } } });
    expect(event.type).toMatch(/^dev\.cdeventsx?\.[a-z-]+\.[a-z]+\.\d+\.\d+\.\d+$/);
  }
});

it('gives a message the same bytes at each try', () => {
  const event = EVENTS['failed'] as ToldEvent;
  const once = () => JSON.stringify(cloudEventOf({ id: 'gf_1', keys: [event.key], event }, 'production', null));
  expect(once()).toBe(once());
});
