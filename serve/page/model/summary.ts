import type { PagePicture } from './picture.ts';
import { countStates } from './states.ts';
import { asText, countText, grouped, shortCommit } from './texts.ts';

/** The app in one sentence and one tone: the heading of the page, and the title of its tab. */

export interface Headline {
  readonly words: string;
  readonly tone: 'good' | 'bad' | 'busy' | 'idle';
}

export function headlineOf(picture: PagePicture): Headline {
  const { target, refused, reached, expected, rollout, agents } = picture;
  if (target === null) {
    if (refused !== null) return { words: `The target is refused: ${asText(refused.code, 40)}`, tone: 'bad' };
    return { words: 'Nothing is published yet', tone: 'idle' };
  }
  const commit = shortCommit(target.commitId);
  if (expected === 0) return { words: `No server that is online is expected to show ${commit}`, tone: 'idle' };
  const failed = [...agents.values()].filter(({ standing }) => standing === 'failed').length;
  const words =
    reached === expected
      ? `${expected === 1 ? 'The only server that is online shows' : `All ${grouped(expected)} online servers show`} ${commit}`
      : `${grouped(reached)} of ${countText(expected, 'online server')} ${reached === 1 ? 'shows' : 'show'} ${commit}`;
  const isBad = failed > 0 || rollout?.state === 'halted' || rollout?.state === 'failed';
  return { words, tone: isBad ? 'bad' : reached === expected ? 'good' : 'busy' };
}

/** `2 failed · /app/shop`, so that a tab in the background says it. */
export function tabTitle(picture: PagePicture | null, isStale: boolean): string {
  if (picture === null) return 'gitfleet';
  const worst = countStates(picture.agents.values()).find(({ state }) => state === 'failed' || state === 'retrying');
  const trouble = isStale ? 'stale' : worst ? `${grouped(worst.count)} ${worst.state}` : '';
  return [trouble, asText(picture.app, 100), 'gitfleet'].filter((part) => part !== '').join(' · ');
}
