import { expect, it } from 'vitest';
import { tellUndeletable } from '../../../agent/disk/undeletable.ts';

it('what cannot be deleted is named once', async () => {
  let aside: string[] = [];
  const told: unknown[] = [];
  const warn = (facts: { paths: string[] }) => void told.push(facts.paths);
  const tell = tellUndeletable({ undeletable: async () => aside }, { warn } as never);
  await tell();
  expect(told).toEqual([]);
  aside = ['/r/.undeletable-a'];
  await tell();
  await tell();
  aside = ['/r/.undeletable-a', '/r/.undeletable-b'];
  await tell();
  expect(told).toEqual([['/r/.undeletable-a'], ['/r/.undeletable-b']]);
});
