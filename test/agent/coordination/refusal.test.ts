import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyJournal, readJournal, writeJournal } from '../../../agent/state/journal.ts';
import { noteRefusal } from '../../../agent/state/progress.ts';
import type { Wanted } from '../../../agent/state/wanted.ts';
import type { TargetVersion } from '../../../schemas/values.ts';
import { allowedTarget } from '../../support/allowed-target.ts';

const targetVersion = '5.1' as TargetVersion;
const failure = { code: 'URL', reason: 'not allowed', hint: 'allow it', next: 'stall' } as const;
const refused: Wanted = { kind: 'refused', targetVersion, failure };
const target = allowedTarget({
  url: 'https://git.example.com/shop.git',
  commitId: 'a'.repeat(40),
  relativePath: 'shop',
});
const accepted: Wanted = { kind: 'target', targetVersion, target };
const noted = { ...emptyJournal, refused: { targetVersion, failure } };

describe('what the newest target is refused for', () => {
  it('is noted and, once a target is not refused, forgotten', () => {
    expect(noteRefusal(emptyJournal, refused)).toEqual(noted);
    expect(noteRefusal(noted, accepted)).toEqual(emptyJournal);
  });

  it('changes nothing, so that nothing is written, where it is known or nobody could be asked', () => {
    expect(noteRefusal(noted, { ...refused, failure: { ...failure } })).toBe(noted);
    expect(noteRefusal(noted, { kind: 'nothing', why: 'ZooKeeper to answer' })).toBe(noted);
    expect(noteRefusal(emptyJournal, accepted)).toBe(emptyJournal);
  });

  it('is another one where it is another target, or refused for something else', () => {
    const other = { ...failure, reason: 'url has a password' };
    expect(noteRefusal(noted, { ...refused, failure: other }).refused?.failure).toEqual(other);
    const newer = { ...refused, targetVersion: '6.1' as TargetVersion };
    expect(noteRefusal(noted, newer).refused?.targetVersion).toBe('6.1');
  });

  it('is read again, and not missed in the journal of an earlier version', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gitfleet-refusal-'));
    await writeJournal(directory, noted);
    expect(await readJournal(directory)).toEqual(noted);
    const { refused: _unknown, ...earlier } = emptyJournal;
    await writeFile(join(directory, 'journal.json'), JSON.stringify(earlier));
    expect((await readJournal(directory)).refused).toBeNull();
    await rm(directory, { recursive: true });
  });
});
