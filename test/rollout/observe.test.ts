import { expect, it } from 'vitest';
import { parseWithTarget } from '../../fleet/shared-state.ts';

const base = { deployment: 1, url: 'https://git.example.com/shop', commitId: 'a'.repeat(40), relativePath: 'shop' };
const read = (changed: object) => {
  const record = { deployment: 2, targetVersion: '5.1', state: 'running', base: { ...base, ...changed } };
  return parseWithTarget(Buffer.from(JSON.stringify(record)));
};

it.each([
  ['url', 'no url'],
  ['url', 'https://git.example.com/../shop'],
  ['commitId', '../../etc'],
  ['relativePath', '../outside'],
  ['relativePath', '/etc/shop'],
])('a base whose %s is %s is none, and the rest of the record counts', (member, value) => {
  expect(read({ [member]: value })).toMatchObject({ deployment: 2, state: 'running', base: null });
});

it('a base that is a target stays, whichever repository it names: each agent judges that', () => {
  expect(read({ url: 'https://evil.example.com/shop' })?.base).toMatchObject({ url: 'https://evil.example.com/shop' });
});
