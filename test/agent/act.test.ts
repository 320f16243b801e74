import { expect, it } from 'vitest';
import { type ActParts, act } from '../../agent/act.ts';
import { emptyJournal, type Journal } from '../../agent/state/journal.ts';
import type { WantedTarget } from '../../agent/state/wanted.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import type { TargetVersion } from '../../schemas/values.ts';
import { allowedTarget } from '../support/allowed-target.ts';

const wanted: WantedTarget = {
  kind: 'target',
  targetVersion: '5.100' as TargetVersion,
  target: allowedTarget({ url: 'file:///srv/shop.git', commitId: 'a'.repeat(40), relativePath: 'shop' }),
};

/** `settle` stands for any step: all that it does is to remember. `during` is called while the first one does. */
async function settleTwice(during: (interruption: AbortController) => void) {
  const interruption = new AbortController();
  const said: string[] = [];
  let journal: Journal = emptyJournal;
  const parts = {
    ...{
      clock,
      random: () => 0.5,
      failpoint: async () => {},
      room: { beforeWrite: async () => {}, giveBack: async () => false },
      journal: () => journal,
    },
    async remember(change: (before: Journal) => Journal) {
      if (said.length === 1) during(interruption);
      journal = change(journal);
    },
    emit: (name: string, event: { action: string }) => void said.push(name === 'working' ? event.action : name),
  } as unknown as ActParts;
  const memory = { checked: null, nextTry: { at: 0 } };
  await act(parts, memory, ['settle', 'settle'], wanted, {
    interrupt: interruption.signal,
    stop: new AbortController().signal,
  });
  return said;
}

it('what follows a step that went well is done', async () => {
  expect(await settleTwice(() => {})).toEqual(['settle', 'done', 'settle', 'done']);
});

it('nothing follows a step during which something else came to be wanted, however that step ended', async () => {
  expect(await settleTwice((interruption) => interruption.abort())).toEqual(['settle', 'done']);
});

it('nothing follows a step that failed', async () => {
  const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  let failed = false;
  const said = await settleTwice(() => {
    if (failed) return;
    failed = true;
    throw full;
  });
  expect(said).toEqual(['settle', 'failed']);
});
