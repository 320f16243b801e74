import { readFlags } from '../fleet/flags/change-flags.ts';
import { evaluate } from '../fleet/flags/evaluate.ts';
import type { EvaluationContext, FlagValue } from '../fleet/flags/evaluation.ts';
import { type KeptFlags, keepFlags } from '../fleet/flags/keep-flags.ts';
import { FleetError } from '../runtime/errors.ts';
import type { Flags } from '../schemas/flags.ts';
import { APP_ZNODE, type Znodes, znodes } from '../schemas/znodes.ts';
import { orAborted } from '../zookeeper/abortable.ts';
import type { Session } from '../zookeeper/session.ts';
import type { RecipeParts } from './create-recipes.ts';
import type { FlagReaders, FlagSet, FlagsChange, WatchedFlags, WatchFlagsOptions } from './flags.ts';

export function createFlagReaders(session: Session, parts: RecipeParts): FlagReaders {
  return {
    async read(app) {
      const { flags } = await readFlags({ session, znodes: znodesOf(app) });
      return flagSet(() => flags);
    },
    watch: async (app, options = {}) => await watchFlags(session, znodesOf(app), options, parts),
  };
}

/** @throws FleetError ZNODE */
function znodesOf(app: string): Znodes {
  if (APP_ZNODE.test(app)) return znodes(app);
  throw FleetError.of('ZNODE', `the app znode ${JSON.stringify(app)} is none`, 'such as /app/business');
}

function flagSet(now: () => Flags): FlagSet {
  const value = (name: string, otherwise: FlagValue, context?: EvaluationContext) => {
    const found = evaluate(now(), name, context).value;
    return found !== null && typeof found === typeof otherwise ? found : otherwise;
  };
  return {
    names: () => [...now().flags.keys()],
    evaluate: (name, context) => evaluate(now(), name, context),
    // Its value has the type of `otherwise`, as the overloads say.
    value: value as FlagSet['value'],
  };
}

async function watchFlags(
  session: Session,
  { flags: path }: Znodes,
  { file, writesFile = false, signal }: WatchFlagsOptions,
  parts: RecipeParts,
): Promise<WatchedFlags> {
  const listeners = new Set<(change: FlagsChange) => void>();
  const stop = new AbortController();
  const until = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const keeper = keepFlags({ session, path, file, writes: writesFile, onChange: tell, ...parts });
  const now = (): KeptFlags => {
    const kept = keeper.kept();
    return until.aborted && kept.state === 'ready' ? { ...kept, state: 'stale' } : kept;
  };
  let last = now();
  await keeper.load();
  const following = keeper.follow(until).then(() => {
    stop.abort(new DOMException('the watch of the flags has ended', 'AbortError'));
    tell();
  });

  function tell(): void {
    const before = last;
    last = now();
    const change = { flags: changedBetween(before.flags, last.flags), state: last.state };
    if (change.flags.length === 0 && change.state === before.state) return;
    for (const listener of [...listeners]) {
      try {
        listener(change);
      } catch (error) {
        parts.log.error({ error }, 'a listener to the flags threw');
      }
    }
  }

  function onChange(listener: (change: FlagsChange) => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  return {
    ...flagSet(() => now().flags),
    get state() {
      return now().state;
    },
    get asOf() {
      return now().asOf;
    },
    onChange,
    async ready(given) {
      const isReady = new Promise<void>((resolve) => {
        const off = onChange(look);
        function look() {
          if (now().state !== 'ready') return;
          off();
          resolve();
        }
        look();
      });
      await orAborted(isReady, given ? AbortSignal.any([given, until]) : until);
    },
    async close() {
      stop.abort(new DOMException('the watch of the flags was closed', 'AbortError'));
      await following;
    },
  };
}

function changedBetween(before: Flags, after: Flags): string[] {
  if (before === after) return [];
  const names = new Set([...before.flags.keys(), ...after.flags.keys()]);
  const text = (flags: Flags, name: string) => JSON.stringify(flags.flags.get(name));
  return [...names].filter((name) => text(before, name) !== text(after, name));
}
