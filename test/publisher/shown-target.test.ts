import { describe, expect, it } from 'vitest';
import { setBackWords } from '../../publisher/screens/next-commands.ts';
import { statusLines } from '../../publisher/screens/status-screen.ts';
import { mostShown, shownTargets, wasSetBack } from '../../publisher/shown-target.ts';
import { agent, failure, NEW, OLD, picture, SCREEN, VERSION } from './fixtures.ts';

const wentBack = (id: string, shows: string = NEW) =>
  agent(id, { phase: 'failed', activeCommit: shows, ...failure('TARGET_WENT_BACK', 'older', 'publish', 'stall') });

describe('what the agents show', () => {
  it('is what most of those that are online show', () => {
    const fleet = [agent('a'), agent('b'), agent('c', { activeCommit: OLD }), agent('d', { online: false })];
    expect(mostShown(fleet)).toEqual({ commitId: NEW, relativePath: 'shop', agents: ['a', 'b'] });
    expect(shownTargets(fleet).map(({ agents }) => agents)).toEqual([['a', 'b'], ['c']]);
  });

  it('is left to a person where as many show one as another, and where none shows any', () => {
    expect(() => mostShown([agent('a'), agent('b', { activeCommit: OLD })])).toThrow(
      expect.objectContaining({ code: 'SHOWN_DIFFERS' }),
    );
    const nothing = expect.objectContaining({ code: 'NOTHING_SHOWN' });
    expect(() => mostShown([])).toThrow(nothing);
    expect(() => mostShown([agent('a', { online: false })])).toThrow(nothing);
    expect(() => mostShown([agent('a', { activeCommit: null })])).toThrow(nothing);
    // A hostile report is no commit.
    expect(() => mostShown([agent('a', { activeCommit: '--upload-pack=x' })])).toThrow(nothing);
  });
});

describe('where ZooKeeper was set back', () => {
  it('status names the commit that the agents show, and offers to publish exactly that', () => {
    const lines = statusLines(picture([wentBack('web-1'), wentBack('web-2'), agent('web-3')]), SCREEN);
    expect(lines.at(-1)).toBe('next: gitfleet publish --again (publishes 9dbcdf1ee3, which 3 agents show)');
    expect(lines.join('\n')).not.toMatch(/gitfleet (rollback|retry|resume)/);
  });

  it('so does the halt of the coordinator alone, whatever the reports say', () => {
    const halted = { state: 'halted', setBack: true, reason: 'ZooKeeper was set back' } as const;
    expect(statusLines(picture([agent('web-1')], {}, halted), SCREEN).at(-1)).toBe(
      'next: gitfleet publish --again (publishes 9dbcdf1ee3, which 1 agent shows)',
    );
    expect(wasSetBack([], VERSION, picture([], {}, { state: 'halted' }).rollout)).toBe(false);
  });

  it('it names both where as many show one as another', () => {
    expect(setBackWords([wentBack('a'), wentBack('b', OLD)])).toContain('agents show 9dbcdf1ee3 and 1f2e3d4c5b');
  });

  it('where ZooKeeper was wiped, what agents show is offered, and nothing else', () => {
    const empty = { target: null, refused: null };
    const wiped = picture([agent('web-1', { phase: 'waiting' })]);
    const state = { ...wiped.state, config: { ...wiped.state.config, ...empty } };
    expect(statusLines({ ...wiped, state }, SCREEN).at(-1)).toBe(
      'next: gitfleet publish --again (publishes 9dbcdf1ee3, which 1 agent shows); outside a clone add --url URL',
    );
  });

  it('a pause that was restored is not offered to be resumed', () => {
    const paused = { state: 'paused', paused: { by: 'ann', reason: '', at: 0 } } as const;
    expect(statusLines(picture([wentBack('web-1')], {}, paused), SCREEN).join('\n')).not.toContain('gitfleet resume');
    expect(statusLines(picture([agent('web-1')], {}, paused), SCREEN).join('\n')).toContain('gitfleet resume');
  });
});
