import { describe, expect, it } from 'vitest';
import { addSample, type Health, judgeActive, judgeHealth, noSample } from '../../../agent/steps/health-judge.ts';
import type { HealthRule } from '../../../schemas/steps.ts';

/** In seconds, for reading. */
const rule: HealthRule = { checks: [], interval: 1, rise: 2, healthyFor: 3, fall: 3, start: 5, deadline: 20 };

/** One look a second: `+` well, `-` bad, ` ` none. Judged right after the last. */
function judged(looks: string, over: Partial<HealthRule> = {}, later = 0): Health {
  let tally = noSample(0);
  [...looks].forEach((look, at) => {
    if (look !== ' ') tally = addSample(tally, { at, wrong: look === '+' ? null : `refused at ${at}` });
  });
  return judgeHealth({ ...rule, ...over }, tally, looks.length - 1 + later);
}

describe('the judge of health', () => {
  const rows: [string, string, Partial<HealthRule>, Health['kind']][] = [
    ['nothing seen', '', {}, 'undecided'],
    ['well, not for long enough', '+++', {}, 'undecided'],
    ['well for exactly long enough', '++++', {}, 'healthy'],
    ['long enough, too few looks', '+  +', { rise: 3 }, 'undecided'],
    ['the first look decides, where that is asked for', '+', { rise: 1, healthyFor: 0 }, 'healthy'],
    ['a bad look begins the count anew', '+++-+++', {}, 'undecided'],
    ['and it may still end well', '+++-++++', {}, 'healthy'],
    ['bad while it starts: nothing is decided', '-----', {}, 'undecided'],
    ['bad after its start: enough of them end it', '------', {}, 'unhealthy'],
    ['well once and bad since: no start to wait for', '+---', {}, 'unhealthy'],
    ['well once, too few bad', '+--', {}, 'undecided'],
    ['up and down until the deadline', '+-+-+-+-+-+-+-+-+-+-+', {}, 'unhealthy'],
    ['well in the last moment', '----+-+-+-+-+-+-+++++', {}, 'healthy'],
    ['a start that is longer than the deadline ends with the deadline', '-'.repeat(21), { start: 60 }, 'unhealthy'],
  ];
  it.each(rows)('%s', (_, looks, over, kind) => {
    expect(judged(looks, over).kind).toBe(kind);
  });

  it('says what was wrong', () => {
    expect(judged('+---')).toMatchObject({ why: 'refused at 3, 3 looks in a row' });
    expect(judged('-', {}, 30)).toMatchObject({ why: 'not healthy within 20 ms; at last: refused at 0' });
    expect(judged('', {}, 30)).toMatchObject({ kind: 'unhealthy' });
  });

  it('is decided by the deadline, whatever else the rule asks for', () => {
    for (let later = 0; later < 40; later++) {
      expect(judged('+', { healthyFor: 1_000 }, later).kind).toBe(later < 20 ? 'undecided' : 'unhealthy');
    }
  });
});

describe('the judge of a release that is active', () => {
  const rows: [string, string, Partial<HealthRule>, string | null][] = [
    ['nothing seen', '', {}, null],
    ['well', '+'.repeat(100), {}, null],
    ['well for longer than any deadline, and bad now and then', '+--'.repeat(100), {}, null],
    ['as often as counts', '+---', {}, 'refused at 3, 3 looks in a row'],
    ['the first bad look, where that is asked for', '+-', { fall: 1 }, 'refused at 1, 1 looks in a row'],
    ['bad since the start of the agent, which may be that of the server', '-----', {}, null],
    ['and still bad when its start is over', '------', {}, 'refused at 5, 6 looks in a row'],
    ['well again', '+--+', {}, null],
  ];
  it.each(rows)('%s', (_, looks, over, expected) => {
    let tally = noSample(0);
    [...looks].forEach((look, at) => {
      tally = addSample(tally, { at, wrong: look === '+' ? null : `refused at ${at}` });
    });
    expect(judgeActive({ ...rule, ...over }, tally)).toBe(expected);
  });
});
