import { expect, it } from 'vitest';
import type { SharedState } from '../../fleet/shared-state.ts';
import { publishTip } from '../../hooks/post-receive.ts';
import { FleetError } from '../../runtime/errors.ts';
import type { CommitId, RelativePath, RepositoryUrl } from '../../schemas/values.ts';

it('a push that loses every race gives up after so many, and says who was faster', async () => {
  let tries = 0;
  const losing = publishTip({
    url: 'https://h.example.com/r.git' as RepositoryUrl,
    relativePath: 'shop' as RelativePath,
    branch: 'main',
    signs: false,
    readState: async () => ({ config: { target: null }, deployments: { last: 1 } }) as unknown as SharedState,
    readTip: async () => 'a'.repeat(40) as CommitId,
    publish: async () => {
      tries += 1;
      if (tries > 1_000) throw new Error('it never ends');
      throw FleetError.of('CONFLICT', 'ann published first', 'look');
    },
  });
  await expect(losing).rejects.toMatchObject({ code: 'CONFLICT', message: 'ann published first' });
  expect(tries).toBe(20);
});
