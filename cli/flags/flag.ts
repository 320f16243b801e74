import {
  changeFlag,
  definitionOf,
  type FlagsParts,
  forgetOldestChanges,
  readFlagChanges,
  readFlags,
} from '../../fleet/flags/change-flags.ts';
import { parseWanted, withDefinition, withFlag } from '../../fleet/flags/edit.ts';
import { evaluate } from '../../fleet/flags/evaluate.ts';
import { plainOperations, settlePlain } from '../../fleet/flags/plain-flags.ts';
import { flagChangeLines, flagHistoryLines, flagLines, settingWords } from '../../publisher/screens/flag-lines.ts';
import { systemClock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { visible } from '../../runtime/safe-text.ts';
import { FLAG_NAME, type FlagChange, type Flags, flagChangeName, VARIANT_NAME } from '../../schemas/flags.ts';
import type { FlagChangeOutput, FlagOutput, FlagsOutput } from '../../schemas/json-output.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { ZooKeeperError } from '../../zookeeper/errors.ts';
import type { Call } from '../command-table.ts';
import { author } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { written } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, screenNow, usage, warn } from '../shell/terminal.ts';

/** `gitfleet flag list | get NAME | set NAME VALUE | remove NAME | history | rollback [f-N]`. */
const list = (call: Call): Promise<number> =>
  onFlags(call, async (parts) => {
    const { flags } = await readFlags(parts);
    if (call.options['json'])
      sayJson({ flags: Object.fromEntries(flags.flags), metadata: flags.metadata } satisfies FlagsOutput);
    else say(...flagLines(parts.znodes.app, flags, screenNow(systemClock.now())));
  });

const get = (call: Call): Promise<number> =>
  onFlags(call, async (parts) => {
    const name = nameIn(call.words[0]);
    const { flags } = await readFlags(parts);
    const flag = flags.flags.get(name);
    const key = call.options['key'] as string | undefined;
    const evaluated = evaluate(flags, name, key === undefined ? {} : { targetingKey: key });
    if (!flag) throw noSuchFlag(name, flags);
    if (call.options['json']) sayJson({ name, ...evaluated, flag } satisfies FlagOutput);
    else if (key === undefined)
      say(`${name}: ${settingWords(flag)}`, `variants: ${Object.keys(flag.variants).join(', ')}`);
    else say(String(evaluated.variant ?? "the program's own default"));
  });

async function set(call: Call): Promise<number> {
  const name = nameIn(call.words[0]);
  const wanted = parseWanted(String(call.words[1]));
  const variants = variantsIn(call.options['variants']);
  return await change(call, name, 'set', (flags) => withFlag(flags, name, wanted, variants));
}

async function remove(call: Call): Promise<number> {
  const name = nameIn(call.words[0]);
  return await change(call, name, 'set', (flags) => {
    if (!flags.flags.has(name)) throw noSuchFlag(name, flags);
    return withDefinition(flags, name, null);
  });
}

const history = (call: Call): Promise<number> =>
  onFlags(call, async (parts) => {
    const most = Number(call.options['number'] ?? 20);
    if (!Number.isSafeInteger(most) || most < 1)
      throw usage('--number must be a whole number from 1', 'gitfleet flag history -n 20');
    const changes = await readFlagChanges(parts, most);
    if (call.options['json']) for (const each of changes) sayJson(each);
    else say(...flagHistoryLines(changes, screenNow(systemClock.now())));
  });

/** Restores the flag to what it was before one change; by default, before the newest one. */
const rollback = (call: Call): Promise<number> =>
  onFlags(call, async (parts) => {
    const changes = await readFlagChanges(parts, 200);
    const back = changeNamed(call.words[0], changes);
    if (back.omitted.includes('before')) {
      const reason = `${flagChangeName(back.number)} does not hold what ${back.flag} was before: it was too large`;
      throw FleetError.of('FLAG_CHANGED', reason, 'put it back with the program that wrote it, or set the flag');
    }
    const later = changes.find(({ flag, number }) => flag === back.flag && number > back.number);
    if (later) throw changedAgain(back, flagChangeName(later.number));
    const reason = (call.options['message'] as string | undefined) ?? `back to before ${flagChangeName(back.number)}`;
    await write(call, parts, back.flag, 'rollback', reason, (flags) => {
      // A flag that was switched again since, even a moment ago, is not overwritten.
      const now = definitionOf(flags.flags.get(back.flag));
      if (now !== back.after && !back.omitted.includes('after')) throw changedAgain(back, null);
      return withDefinition(flags, back.flag, back.before);
    });
  });

const changedAgain = ({ flag }: FlagChange, later: string | null): FleetError =>
  FleetError.of(
    'FLAG_CHANGED',
    later === null ? `${flag} was changed again` : `${flag} was changed again by ${later}`,
    later === null ? undefined : `take that back first: gitfleet flag rollback ${later}`,
  );

/** By verb. */
export const flagActions = { list, get, set, remove, history, rollback };

const change = (call: Call, name: string, via: 'set', edit: (flags: Flags) => string): Promise<number> =>
  onFlags(call, async (parts) => {
    await write(call, parts, name, via, (call.options['message'] as string | undefined) ?? '', edit);
  });

async function write(
  call: Call,
  parts: FlagsParts,
  flag: string,
  via: FlagChange['via'],
  reason: string,
  edit: (flags: Flags) => string,
): Promise<void> {
  const by = author(process.env);
  const also = (after: Flags) => plainOperations(parts, after, flag);
  const withoutAlso = ({ code, path }: ZooKeeperError) => warn(`${visible(path, 300)} stays as it is: ${code}`);
  const done = await written(`the flag ${flag} may be changed`, async () => {
    // What another program set in the meantime becomes a change before this one.
    await settlePlain(parts);
    return await changeFlag(parts, { flag, by, reason, via, edit, also, withoutAlso });
  });
  await forgetOldestChanges(parts).catch(() => {});
  const after = (await readFlags(parts)).flags.flags.get(flag);
  if (call.options['json']) sayJson({ change: done, flag: after ?? null } satisfies FlagChangeOutput);
  else say(...flagChangeLines(parts.znodes.app, flag, done, after));
}

async function onFlags({ options }: Call, work: (parts: FlagsParts) => Promise<void>): Promise<number> {
  const settings = await readSettings(options);
  return await withSession(settings, async (session, access) => {
    await work({ session, znodes: znodes(settings.app), access, now: () => systemClock.now() });
    return EXIT.converged;
  });
}

function nameIn(word: string | undefined): string {
  if (word !== undefined && FLAG_NAME.test(word)) return word;
  throw usage(`${JSON.stringify(word)} is no name of a flag`, 'letters, digits, dot, dash and underscore, at most 100');
}

function variantsIn(given: unknown): string[] {
  if (given === undefined) return [];
  const variants = String(given).split(',');
  if (variants.every((each) => VARIANT_NAME.test(each))) return variants;
  throw usage(`--variants ${JSON.stringify(given)} is no list of names`, 'such as: --variants red,green,blue');
}

function changeNamed(word: string | undefined, changes: readonly FlagChange[]): FlagChange {
  const number = word === undefined ? changes[0]?.number : Number(/^(?:f-)?([1-9]\d{0,14})$/.exec(word)?.[1]);
  const found = changes.find((each) => each.number === number);
  if (found) return found;
  throw usage(
    word === undefined ? 'no flag was changed yet' : `there is no change ${word}`,
    'see the changes: gitfleet flag history',
  );
}

function noSuchFlag(name: string, { flags }: Flags): FleetError {
  const near = [...flags.keys()].slice(0, 10).join(', ');
  return FleetError.of('FLAG_MISSING', `there is no flag ${name}${near === '' ? '' : `; there are: ${near}`}`);
}
