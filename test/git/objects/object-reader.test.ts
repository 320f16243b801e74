import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createObjectReader, type ObjectReader } from '../../../git/objects/object-reader.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { processesIn } from '../../support/processes.ts';
import { QUIET } from '../test-store.ts';

let origin: GitOrigin;
let remove: () => void;

beforeAll(() => {
  const { path, remove: removeIt } = temporaryDirectory('object-reader');
  remove = removeIt;
  origin = createOrigin(join(path, 'origin.git'));
});
afterAll(() => remove());

function reader(what: 'contents' | 'sizes' = 'contents'): ObjectReader {
  const opened = createObjectReader({ clock: systemClock, log: QUIET }, origin.directory, what);
  onTestFinished(() => opened.close());
  return opened;
}

const words = async (found: ReturnType<ObjectReader['read']>) => (await found)?.content.toString() ?? null;

describe('an object reader', () => {
  it('answers each question with its own object, in whatever order and size they come', async () => {
    const large = 'x'.repeat(300_000);
    const names = ['one', large, '', 'two\n'].map((content) => origin.git(['hash-object', '-w', '--stdin'], content));
    const asked = reader();
    const absent = '12'.repeat(20);
    const found = await Promise.all(
      [names[1], absent, names[0], names[2], names[3]].map((name) => words(asked.read(name ?? ''))),
    );
    expect(found).toEqual([large, null, 'one', '', 'two\n']);
    expect(await reader('sizes').read(names[1] ?? '')).toMatchObject({ type: 'blob', size: 300_000 });
  });

  it.each(['contents', 'sizes'] as const)(
    'takes what a closed child said last for no answer of the next (%s)',
    async (what) => {
      const id = origin.git(['hash-object', '-w', '--stdin'], 'here');
      const asked = reader(what);
      const early = asked.read('refs/heads/nothing').then(
        () => 'answered',
        (error: { code?: string }) => error.code,
      );
      execFileSync('sleep', ['0.2']); // The answer is in the pipe now, and nobody has read it.
      asked.close();
      const found = await asked.read(id);
      expect(found?.id).toBe(id);
      expect((await asked.read(id))?.id).toBe(id);
      expect(await early).toBe('STORE_BROKEN');
    },
  );

  it('fails who waits when its child dies, and starts another at the next question', async () => {
    const id = origin.git(['hash-object', '-w', '--stdin'], 'again');
    const asked = reader();
    expect(await words(asked.read(id))).toBe('again');
    const children = processesIn(origin.directory).map(({ pid }) => pid);
    expect(children).toHaveLength(1);
    for (const pid of children) process.kill(pid, 'SIGSTOP');
    const waits = words(asked.read(id)).catch((error: { code?: string }) => error.code);
    for (const pid of children) process.kill(pid, 'SIGKILL');
    expect(await waits).toBe('STORE_BROKEN');
    expect(await words(asked.read(id))).toBe('again');
  });
});
