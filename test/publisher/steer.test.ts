import { describe, expect, it } from 'vitest';
import { retryWords, steerWords } from '../../publisher/screens/steer-words.ts';
import { STEERING, type Steering, steer } from '../../publisher/steer.ts';
import { policy } from '../../schemas/policy.ts';
import { ROLLOUT_STATES, type Rollout, type RolloutState, rollout } from '../../schemas/rollout.ts';

const word = { by: 'ann', reason: 'shop is slow', at: 5_000 };

function inState(state: RolloutState, more: Partial<Rollout> = {}): Rollout {
  const failures = state === 'halted' ? [{ agentId: 'web-1', code: 'HEALTH', reason: '500' }] : [];
  const paused = state === 'paused' ? { by: 'bob', reason: 'lunch', at: 1_000 } : null;
  const given = {
    deployment: 7,
    targetVersion: '1a.1',
    state,
    wave: 2,
    waveAt: 900,
    members: ['web-2'],
    failures,
    paused,
  };
  return { ...rollout().parse({ ...given, policy: policy().parse({ canary: 1 }) }), ...more };
}

/** What each verb does in each state: the state after it, `same` where nothing is to be done, or `refused`. */
const TABLE: Record<Steering, Record<RolloutState, RolloutState | 'same' | 'refused'>> = {
  pause: {
    ...{ running: 'paused', paused: 'same', halted: 'same', proven: 'refused' },
    ...{ failed: 'same', aborted: 'same', 'rolled-back': 'same' },
  },
  resume: {
    ...{ running: 'same', paused: 'running', halted: 'running', proven: 'same' },
    ...{ failed: 'refused', aborted: 'refused', 'rolled-back': 'refused' },
  },
  abort: {
    ...{ running: 'aborted', paused: 'aborted', halted: 'aborted', proven: 'refused' },
    ...{ failed: 'same', aborted: 'same', 'rolled-back': 'same' },
  },
  promote: {
    ...{ running: 'running', paused: 'running', halted: 'running', proven: 'same' },
    ...{ failed: 'refused', aborted: 'refused', 'rolled-back': 'refused' },
  },
};

const rows = STEERING.flatMap((verb) => ROLLOUT_STATES.map((state) => ({ verb, state, becomes: TABLE[verb][state] })));

describe('every verb in every state', () => {
  it.each(rows)('$verb while $state: $becomes', ({ verb, state, becomes }) => {
    const steered = steer(verb, inState(state), word);
    if (becomes === 'refused') {
      expect(steered.do).toBe('refuse');
      expect(() => steerWords(steered)).toThrow(expect.objectContaining({ code: 'ROLLOUT_OVER', next: 'stall' }));
      return;
    }
    if (becomes === 'same') {
      expect(steered.do).toBe('nothing');
      expect(steerWords(steered)).toMatch(/^d-7 /);
      return;
    }
    expect(steerWords(steered)).toMatch(/^d-7 /);
    expect(steered).toMatchObject({ do: 'write', rollout: { state: becomes, steered: [{ verb, ...word }] } });
  });

  it.each(rows)('$verb twice while $state is $verb once', ({ verb, state }) => {
    const first = steer(verb, inState(state), word);
    if (first.do !== 'write') return expect(first.do).not.toBe('write');
    expect(steer(verb, first.rollout, word).do).toBe('nothing');
  });
});

describe('a word', () => {
  it('of pause stays with the rollout until it goes on, and its deadline begins anew', () => {
    const paused = steer('pause', inState('running'), word);
    expect(paused).toMatchObject({ rollout: { paused: word, members: ['web-2'], wave: 2 } });
    if (paused.do !== 'write') throw new Error(paused.do);
    const again = steer('resume', paused.rollout, { ...word, by: 'bob' });
    expect(again).toMatchObject({
      rollout: { paused: null, waveAt: 0, steered: [{ verb: 'resume' }, { verb: 'pause' }] },
    });
  });

  it('of resume after a halt lets pass who failed, and promote also the soak', () => {
    const resumed = steer('resume', inState('halted'), word);
    expect(resumed).toMatchObject({ rollout: { excused: ['web-1'], reason: '', promoted: null } });
    expect(steerWords(resumed)).toBe('d-7 continues without web-1');
    expect(steer('promote', inState('halted'), word)).toMatchObject({ rollout: { promoted: { by: 'ann', wave: 2 } } });
  });

  it('that was given before is shown on one line, whatever it holds', () => {
    const reason = 'lunch\n\u001b[2Jd-8 is proven';
    expect(steerWords(steer('pause', inState('aborted', { reason }), word))).toBe(
      'd-7 is aborted: lunch\\n\\u001b[2Jd-8 is proven; nothing is in progress',
    );
    const paused = inState('paused', { paused: { by: 'a\nb', reason, at: 1 } });
    expect(steerWords(steer('pause', paused, word))).toBe('d-7 is paused already, by a\\nb');
  });

  it('of abort is told once', () => {
    const aborted = steer('abort', inState('running'), word);
    if (aborted.do !== 'write') throw new Error(aborted.do);
    expect(steerWords(steer('abort', aborted.rollout, word))).toBe(
      'd-7 is aborted by ann: shop is slow; nothing is in progress',
    );
  });

  it('calls the wave as status does', () => {
    const said = (wave: number) => steerWords(steer('promote', inState('running', { wave }), word));
    expect(said(0)).toMatch(/^d-7 canary is promoted: /);
    expect(said(2)).toMatch(/^d-7 wave 2 is promoted: /);
    expect(steerWords(steer('promote', inState('paused', { wave: 0 }), word))).toBe(
      'd-7 continues; canary passes without its soak',
    );
  });

  it('of promote is for one wave', () => {
    const promoted = { ...word, wave: 1 };
    expect(steer('promote', inState('running', { promoted }), word).do).toBe('write');
    expect(steer('promote', inState('running', { promoted: { ...word, wave: 2 } }), word).do).toBe('nothing');
    const everywhere = steer('promote', inState('running', { permits: false }), word);
    expect(everywhere.do).toBe('nothing');
    expect(steerWords(everywhere)).toContain('it has no waves');
  });

  it('of pause and abort reaches those who needed no permits, and resume lets them go again', () => {
    const free = inState('running', { permits: false, policy: null });
    const paused = steer('pause', free, word);
    expect(paused).toMatchObject({ rollout: { permits: true, state: 'paused' } });
    if (paused.do !== 'write') throw new Error(paused.do);
    expect(steer('resume', paused.rollout, word)).toMatchObject({ rollout: { permits: false, state: 'running' } });
    expect(steer('abort', free, word)).toMatchObject({ rollout: { permits: true, state: 'aborted' } });
  });

  it.each(['resume', 'promote'] as const)(
    'of %s where ZooKeeper was set back passes that, with a policy or not',
    (verb) => {
      const halted = { setBack: true, failures: [{ agentId: 'web-1', code: 'TARGET_WENT_BACK', reason: '' }] };
      const free = steer(verb, inState('halted', { ...halted, policy: null }), word);
      const passed = { state: 'running', setBack: false, setBackPassed: true, excused: ['web-1'] };
      expect(free).toMatchObject({ do: 'write', rollout: { ...passed, permits: false } });
      expect(steerWords(free)).toContain('d-7 continues without web-1');
      const led = steer(verb, inState('halted', halted), word);
      expect(led).toMatchObject({ do: 'write', rollout: { ...passed, permits: true } });
      if (led.do !== 'write') throw new Error(led.do);
      // A later halt for another reason, and what a person says about that, takes nothing of it back.
      const again = steer(verb, { ...led.rollout, state: 'halted', reason: 'web-2 failed' }, word);
      expect(again).toMatchObject({ rollout: { state: 'running', setBackPassed: true } });
      expect(steer(verb, inState('halted'), word)).toMatchObject({ rollout: { setBackPassed: false } });
    },
  );

  it('where the policy cannot be read says what to do', () => {
    const resumed = steer('resume', inState('halted', { policy: null }), word);
    expect(resumed.do).toBe('nothing');
    expect(steerWords(resumed)).toContain('gitfleet policy set FILE');
  });

  it('refused by retry names the way out', () => {
    const back = inState('rolled-back', { reason: 'canary web-1 failed' });
    expect(() => retryWords('refuse', back)).toThrow(expect.objectContaining({ code: 'QUARANTINED', next: 'stall' }));
    for (const state of ['proven', 'paused', 'running'] as const)
      expect(retryWords('nothing', inState(state))).toMatch(/^d-7 is (proven|paused|in progress)/);
  });

  it('is kept with twenty others', () => {
    const steered = Array.from({ length: 20 }, () => ({ verb: 'pause', by: 'x', reason: '', at: 0 }));
    const next = steer('pause', inState('running', { steered }), word);
    expect(next.do === 'write' && next.rollout.steered).toHaveLength(20);
  });
});
