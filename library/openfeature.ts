/// <reference types="node" preserve="true" />
import {
  ErrorCode,
  type EvaluationContext,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  ProviderFatalError,
  ProviderNotReadyError,
  type ResolutionDetails,
} from '@openfeature/server-sdk';
import { systemClock as clock } from '../runtime/clock.ts';
import type { Client } from './client.ts';
import type { FlagsChange, WatchedFlags, WatchFlagsOptions } from './flags.ts';

export interface ProviderOptions extends WatchFlagsOptions {
  /** The app znode that the flags belong to, such as `/app/business`. */
  readonly app: string;
  /** How long the start waits for ZooKeeper before it uses the content of the file, ms. Default 2,000. */
  readonly waitMs?: number;
}

/**
 * `gitfleet/openfeature`: a provider for @openfeature/server-sdk on a client of this library. Evaluation is local and
 * waits for nothing. Guarantee: ready while ZooKeeper shows the flags, stale while the last known ones count, an error
 * while there are none. Becoming stale changes no value. The order of truth is ZooKeeper, the file, the program's
 * default; they are never mixed. It does not close the client, which belongs to the program, and does not evaluate
 * rules in JSONLogic.
 */
export function createProvider(client: Pick<Client, 'flags' | 'state'>, options: ProviderOptions): Provider {
  const { app, waitMs = 2_000, ...watching } = options;
  const events = new OpenFeatureEventEmitter();
  let flags: WatchedFlags | undefined;

  const tell = (change: FlagsChange, isNewState: boolean) => {
    if (isNewState) emitState(events, change.state, flags);
    if (change.flags.length > 0) events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged: [...change.flags] });
  };

  async function initialize(): Promise<void> {
    await flags?.close();
    const watched = await client.flags.watch(app, watching);
    flags = watched;
    await watched.ready(AbortSignal.timeout(waitMs)).catch(() => {});
    // The state that the SDK sets after this call.
    let told: FlagsChange['state'] = watched.state === 'none' ? 'none' : 'ready';
    const follow = (change: FlagsChange) => {
      if (flags !== watched) return;
      const isNewState = change.state !== told;
      told = change.state;
      tell(change, isNewState);
    };
    watched.onChange(follow);
    // After the SDK, which marks this provider ready, or failed, only after this promise.
    setImmediate(() => follow({ flags: [], state: watched.state }));
    if (watched.state === 'none') throw notThere(client, app);
  }

  const resolve = <T>(kind: Kind, name: string, otherwise: T, context: EvaluationContext) =>
    resolution(flags, kind, name, otherwise, context);
  return {
    metadata: { name: 'gitfleet' },
    runsOn: 'server',
    events,
    initialize,
    async onClose() {
      const closing = flags;
      flags = undefined;
      await closing?.close();
    },
    resolveBooleanEvaluation: async (name, otherwise, context) => resolve('boolean', name, otherwise, context),
    resolveStringEvaluation: async (name, otherwise, context) => resolve('string', name, otherwise, context),
    resolveNumberEvaluation: async (name, otherwise, context) => resolve('number', name, otherwise, context),
    resolveObjectEvaluation: async (name, otherwise, context) => resolve('object', name, otherwise, context),
  };
}

type Kind = 'boolean' | 'string' | 'number' | 'object';

function resolution<T>(
  flags: WatchedFlags | undefined,
  kind: Kind,
  name: string,
  otherwise: T,
  { targetingKey }: EvaluationContext,
): ResolutionDetails<T> {
  const failed = (errorCode: ErrorCode, errorMessage: string) => {
    return { value: otherwise, reason: 'ERROR', errorCode, errorMessage };
  };
  if (flags === undefined || flags.state === 'none') return failed(ErrorCode.PROVIDER_NOT_READY, 'no flags are known');
  const found = flags.evaluate(name, targetingKey === undefined ? {} : { targetingKey });
  const { value, variant, reason } = found;
  if (reason === 'ERROR') return failed(ErrorCode[found.errorCode], `the flag ${name}: ${found.errorCode}`);
  const flagMetadata = { state: flags.state, ...ageOf(flags) };
  if (value === null) return { value: otherwise, reason, flagMetadata };
  if (typeof value !== kind) return failed(ErrorCode.TYPE_MISMATCH, `the flag ${name} is of type ${typeof value}`);
  return { value: value as T, variant, reason, flagMetadata };
}

/** How long these flags have not been confirmed; absent if they are current, or that is not known. */
const ageOf = ({ state, asOf }: WatchedFlags): { ageMs?: number } =>
  state === 'stale' && asOf > 0 ? { ageMs: Math.max(0, clock.now() - asOf) } : {};

function emitState(events: OpenFeatureEventEmitter, state: FlagsChange['state'], flags: WatchedFlags | undefined) {
  const metadata = flags ? { ...ageOf(flags) } : {};
  if (state === 'ready') events.emit(ProviderEvents.Ready, { metadata });
  else if (state === 'stale') {
    events.emit(ProviderEvents.Stale, {
      message: 'ZooKeeper does not confirm the flags; the last ones stay',
      metadata,
    });
  } else {
    events.emit(ProviderEvents.Error, { message: 'no flags are known', errorCode: ErrorCode.PROVIDER_NOT_READY });
  }
}

function notThere({ state }: Pick<Client, 'state'>, app: string): Error {
  if (state === 'closed') return new ProviderFatalError('the client is closed, or ZooKeeper refuses its credential');
  return new ProviderNotReadyError(
    state === 'connected' ? `${app} has no flags yet` : 'ZooKeeper does not answer, and no file has flags',
  );
}
