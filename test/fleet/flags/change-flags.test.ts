import { beforeEach, describe, expect, it } from 'vitest';
import { openAccess } from '../../../fleet/access.ts';
import { initApp } from '../../../fleet/app.ts';
import {
  changeFlag,
  type FlagsParts,
  forgetOldestChanges,
  readFlagChanges,
  readFlags,
} from '../../../fleet/flags/change-flags.ts';
import { parseWanted, withFlag } from '../../../fleet/flags/edit.ts';
import { evaluate } from '../../../fleet/flags/evaluate.ts';
import { bindPlain, plainOperations, settlePlain } from '../../../fleet/flags/plain-flags.ts';
import type { Flags } from '../../../schemas/flags.ts';
import { znodes } from '../../../schemas/znodes.ts';
import { fakeKit, realKit, type ZooKeeperKit } from '../../support/zookeeper/kit.ts';

let count = 0;

function suite(kit: ZooKeeperKit): void {
  let parts: FlagsParts;
  let directory: string;
  let now = 1_000;

  beforeEach(async () => {
    count += 1;
    directory = `/app/features${count}`;
    parts = await partsOf(`/app/flags${count}`);
  });

  async function partsOf(app: string): Promise<FlagsParts> {
    const session = kit.open(kit.connect());
    const paths = znodes(app);
    await initApp(session, paths, openAccess);
    return { session, znodes: paths, access: openAccess, now: () => ++now };
  }

  const set = (name: string, word: string, by = 'ann') =>
    changeFlag(parts, {
      ...{ flag: name, by, reason: 'why', via: 'set' as const },
      edit: (flags) => withFlag(flags, name, parseWanted(word)),
      also: (after: Flags) => plainOperations(parts, after, name),
    });
  const valueNow = async (name: string) => evaluate((await readFlags(parts)).flags, name).value;
  const adoptPlain = async () => (await settlePlain(parts)).adopted;
  const foreign = async (name: string, value: string) => {
    const path = `${directory}/${name}/enabled`;
    await parts.session.ensure(path);
    await parts.session.set(path, Buffer.from(value), -1);
  };
  /** As another tool changes the document. */
  const otherTool = async (name: string, word: string) => {
    const { flags } = await readFlags(parts);
    await parts.session.set(parts.znodes.flags, Buffer.from(withFlag(flags, name, parseWanted(word))), -1);
  };
  const plain = async (name: string) =>
    (await parts.session.get(`${directory}/${name}/enabled`))?.data.toString() ?? null;

  it('a change sets the document and leaves its record, which says what was before', async () => {
    expect(await set('checkout', 'on')).toMatchObject({
      number: 1,
      flag: 'checkout',
      before: null,
      by: 'ann',
      via: 'set',
    });
    expect(await set('checkout', 'on')).toBeNull();
    expect(await set('checkout', '25%')).toMatchObject({ number: 2 });
    const [newest, oldest] = await readFlagChanges(parts, 10);
    expect(JSON.parse(newest?.before ?? '')).toMatchObject({ defaultVariant: 'on' });
    expect(newest?.before).toBe(oldest?.after);
    expect((await readFlags(parts)).flags.metadata).toMatchObject({ version: 2, by: 'ann', reason: 'why' });
  });

  it('twenty writers at once lose no change', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, at) => set(`flag-${at}`, 'on', `writer-${at}`)));
    expect((await readFlags(parts)).flags.flags.size).toBe(20);
    expect((await readFlagChanges(parts, 100)).map(({ number }) => number)).toEqual(
      Array.from({ length: 20 }, (_, at) => 20 - at),
    );
  });

  it('keeps the newest 200 records', async () => {
    for (let at = 0; at < 205; at++) await set('busy', at % 2 ? 'on' : 'off');
    await forgetOldestChanges(parts);
    expect((await readFlagChanges(parts, 1_000)).map(({ number }) => number)).toEqual(
      Array.from({ length: 200 }, (_, at) => 205 - at),
    );
  });

  it('counts on from the records where a document was put back', async () => {
    await set('checkout', 'on');
    const before = (await parts.session.get(parts.znodes.flags))?.data as Buffer;
    await set('checkout', 'off');
    await parts.session.set(parts.znodes.flags, before, -1);
    expect(await set('checkout', '25%')).toMatchObject({ number: 3 });
  });

  it('refuses what would not fit, and an app or a document that has no flags', async () => {
    const long = Array.from({ length: 1_000 }, (_, at) => [`${at}-${'x'.repeat(60)}`, true]);
    const edit = () => JSON.stringify({ flags: { big: { state: 'ENABLED', variants: Object.fromEntries(long) } } });
    await expect(changeFlag(parts, { flag: 'big', by: '', reason: '', via: 'set', edit })).rejects.toMatchObject({
      code: 'FLAGS_FULL',
    });
    await parts.session.set(parts.znodes.flags, Buffer.from('[]'), -1);
    await expect(set('checkout', 'on')).rejects.toMatchObject({ code: 'FLAGS_UNREADABLE' });
    await parts.session.removeTree(parts.znodes.flags);
    await expect(set('checkout', 'on')).rejects.toMatchObject({ code: 'FLAGS_MISSING' });
  });

  it('switches off a flag whose rule is too large for a record, and says that it does not hold it', async () => {
    const targeting = { if: [{ in: [{ var: 'email' }, Array.from({ length: 500 }, (_, at) => `user-${at}`)] }, 'on'] };
    const ruled = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'on', targeting };
    await parts.session.set(parts.znodes.flags, Buffer.from(JSON.stringify({ flags: { ruled } })), -1);
    expect(await set('ruled', 'off')).toMatchObject({ before: null, omitted: ['before'] });
    expect(await valueNow('ruled')).toBe(false);
    expect(await readFlagChanges(parts, 1)).toMatchObject([{ omitted: ['before'] }]);
  });

  it('passes over a record that holds no flag, and a number that is none of ours', async () => {
    await set('checkout', 'on');
    const odd = { number: 2, flag: 'checkout', before: 'null', after: '{', by: '', reason: '', at: 1, via: 'set' };
    await parts.session.create(parts.znodes.flagChange(2), Buffer.from(JSON.stringify(odd)), 'persistent');
    const text = (await readFlags(parts)).flags.text.replace('"version": 1', `"version": ${Number.MAX_SAFE_INTEGER}`);
    await parts.session.set(parts.znodes.flags, Buffer.from(text), -1);
    expect(await set('checkout', 'off')).toMatchObject({ number: 3 });
    expect((await readFlagChanges(parts, 9)).map(({ number }) => number)).toEqual([3, 1]);
  });

  it('refuses a document without a bottom, which could not be written out again', async () => {
    const deep = `{"flags":{"a":{"state":"ENABLED","variants":{"on":${'['.repeat(20_000)}${']'.repeat(20_000)}}}}}`;
    await parts.session.set(parts.znodes.flags, Buffer.from(deep), -1);
    await expect(set('checkout', 'off')).rejects.toMatchObject({ code: 'FLAGS_UNREADABLE' });
  });

  describe('a directory of plain flags', () => {
    it('shows what is plainly on or off, in the transaction that changes it', async () => {
      await set('early', 'on');
      await bindPlain(parts, directory);
      expect(await plain('early')).toBe('1');
      await set('early', 'off');
      const [document, node] = await Promise.all([
        parts.session.exists(parts.znodes.flags),
        parts.session.exists(`${directory}/early/enabled`),
      ]);
      expect(await plain('early')).toBe('0');
      expect(node?.mzxid).toBe(document?.mzxid);
      await set('early', '25%');
      expect(await plain('early')).toBeNull();
    });

    it('gives what another program sets to the flags, with a record', async () => {
      await bindPlain(parts, directory);
      await set('pymk', 'off');
      await parts.session.set(`${directory}/pymk/enabled`, Buffer.from('1\n'), -1);
      await parts.session.create(`${directory}/fresh`, Buffer.alloc(0), 'persistent');
      await parts.session.create(`${directory}/fresh/enabled`, Buffer.from('1'), 'persistent');
      await parts.session.create(`${directory}/odd`, Buffer.alloc(0), 'persistent');
      await parts.session.create(`${directory}/odd/enabled`, Buffer.from('yes'), 'persistent');
      expect((await adoptPlain()).map(({ flag, via }) => `${flag} ${via}`).toSorted()).toEqual([
        'fresh adopted',
        'pymk adopted',
      ]);
      expect([await valueNow('pymk'), await valueNow('fresh'), await valueNow('odd')]).toEqual([true, true, null]);
      expect(await adoptPlain()).toEqual([]);
    });

    it('is not believed where another program wrote the document last', async () => {
      await bindPlain(parts, directory);
      await set('pymk', 'on');
      await otherTool('pymk', 'off');
      expect(await adoptPlain()).toEqual([]);
      expect(await valueNow('pymk')).toBe(false);
    });

    it('shows what another tool changed, and is not believed after our next change either', async () => {
      await bindPlain(parts, directory);
      await set('pymk', 'on');
      await otherTool('pymk', 'off');
      await set('other', 'on');
      expect(await adoptPlain()).toEqual([]);
      expect([await valueNow('pymk'), await plain('pymk')]).toEqual([false, '0']);
    });

    it('is believed from the moment it is bound', async () => {
      await foreign('older', '1');
      await bindPlain(parts, directory);
      await foreign('fresh', '1');
      expect((await adoptPlain()).map(({ flag }) => flag).toSorted()).toEqual(['fresh', 'older']);
    });

    it('does not undo what a person sets while another program’s write is taken over', async () => {
      await bindPlain(parts, directory);
      await set('pymk', 'on');
      await foreign('pymk', '0');
      let raced = false;
      const racing = Object.create(parts.session, {
        transact: {
          value: async (...given: Parameters<typeof parts.session.transact>) => {
            if (!raced) {
              raced = true;
              await set('pymk', '25%');
            }
            return await parts.session.transact(...given);
          },
        },
      }) as typeof parts.session;
      expect((await settlePlain({ ...parts, session: racing })).adopted).toEqual([]);
      expect(raced).toBe(true);
      expect((await readFlags(parts)).flags.flags.get('pymk')?.targeting).toBeDefined();
    });

    it('with a node that no flag can follow leaves that one, and serves the others', async () => {
      await bindPlain(parts, directory);
      await changeFlag(parts, {
        ...{ flag: 'colour', by: 'ann', reason: '', via: 'set' as const },
        edit: (flags) => withFlag(flags, 'colour', parseWanted('red'), ['red', 'green']),
      });
      await foreign('colour', '1');
      await foreign('zeal', '1');
      const { adopted, left } = await settlePlain(parts);
      expect(adopted.map(({ flag }) => flag)).toEqual(['zeal']);
      expect(left).toMatchObject([{ flag: 'colour', reason: { code: 'FLAG_VARIANT' } }]);
      expect(await set('payments', 'off')).toMatchObject({ flag: 'payments' });
    });

    it('that is removed stops no change', async () => {
      await bindPlain(parts, directory);
      await set('pymk', 'on');
      await parts.session.removeTree(directory);
      expect(await set('pymk', 'off')).toMatchObject({ flag: 'pymk' });
      expect(await settlePlain(parts)).toEqual({ adopted: [], left: [] });
    });

    it('belongs to one app', async () => {
      await bindPlain(parts, directory);
      await bindPlain(parts, directory);
      const second = await partsOf(`/app/flags${count}b`);
      await expect(bindPlain(second, directory)).rejects.toMatchObject({ code: 'FLAGS_PLAIN_TAKEN' });
      await expect(bindPlain(parts, `${directory}-other`)).rejects.toMatchObject({ code: 'FLAGS_PLAIN_TAKEN' });
    });
  });
}

describe('flags on the real server', () => suite(realKit()));
describe('flags on the fake', () => suite(fakeKit()));
