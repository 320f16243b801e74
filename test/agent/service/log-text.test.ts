import { describe, expect, it } from 'vitest';
import { logText } from '../../../agent/service/log-text.ts';
import { createLog } from '../../../runtime/log.ts';

const line = (fields: object) =>
  `${JSON.stringify({ level: 'warn', time: '2026-11-30T22:09:10.123Z', agentId: 'web-1', ...fields })}\n`;

describe('a log line as text', () => {
  it.each([
    ['has time, level and message', { msg: 'agent started' }, '22:09:10 WARN  agent started'],
    [
      'has the other fields',
      { msg: 'a', deployment: 12, root: '/srv/www' },
      '22:09:10 WARN  a deployment=12 root=/srv/www',
    ],
    ['quotes what has blanks', { msg: 'a', reason: 'no such "file"' }, '22:09:10 WARN  a reason="no such \\"file\\""'],
    ['ends with the error', { msg: 'a', err: { code: 'AUTH', message: 'denied' } }, '22:09:10 WARN  a (AUTH: denied)'],
    ['is written whatever it was given as the error', { msg: 'a', err: null }, '22:09:10 WARN  a (null)'],
    ['stays one line, without control characters', { msg: 'a\nb\u001b[31m' }, '22:09:10 WARN  a\\nb\\u001b[31m'],
  ])('%s', (_, fields, expected) => expect(logText(line(fields))).toBe(`${expected}\n`));

  it('that is no JSON stays as it is', () => expect(logText('what is this\n')).toBe('what is this\n'));
});

it('a log writes it, with the errors and bindings of the log', () => {
  const lines: string[] = [];
  const log = createLog(
    { level: 'info', shown: logText, bindings: { agentId: 'web-1' } },
    { write: (each) => void lines.push(each) },
  );
  log.info({ err: new Error('full'), n: 1 }, 'stopping failed');
  expect(lines.join('')).toMatch(/^\d\d:\d\d:\d\d INFO {2}stopping failed n=1 \(full\)\n$/);
});
