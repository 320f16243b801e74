import type { Evaluation, EvaluationContext } from '../fleet/flags/evaluation.ts';

/**
 * The flags of apps, for reading; `gitfleet flag` writes them. An app is named by its app znode, such as
 * `/app/business`.
 */
export interface FlagReaders {
  /** The flags as they are now. @throws FleetError ZNODE, FLAGS_MISSING, FLAGS_UNREADABLE */
  read(app: string): Promise<FlagSet>;
  /**
   * Keeps the flags in this program, for as long as it lives. Resolves once the file was read, if there is one. It does
   * not wait for ZooKeeper; `ready()` does. @throws FleetError ZNODE
   */
  watch(app: string, options?: WatchFlagsOptions): Promise<WatchedFlags>;
}

export interface WatchFlagsOptions {
  /**
   * The flags that count until ZooKeeper answers: the file that an agent on this server keeps
   * (`<root>/.gitfleet/<app>/flags.json`), or one of this program.
   */
  readonly file?: string;
  /** Whether this program writes the file after each change, because no agent does. Default: it only reads it. */
  readonly writesFile?: boolean;
  /** Ends the watch. */
  readonly signal?: AbortSignal;
}

/** One state of all flags of an app. Evaluation is local and synchronous: no call waits for the network. */
export interface FlagSet {
  /** The names of the flags that can be evaluated. */
  names(): readonly string[];
  /** Value, variant and reason in the terms of OpenFeature. If the value is null, the program's own default counts. */
  evaluate(name: string, context?: EvaluationContext): Evaluation;
  /** The value; `otherwise` if the flag gives none, does not exist, or has a value of another type. */
  value(name: string, otherwise: boolean, context?: EvaluationContext): boolean;
  value(name: string, otherwise: string, context?: EvaluationContext): string;
  value(name: string, otherwise: number, context?: EvaluationContext): number;
  value(name: string, otherwise: FlagStructure, context?: EvaluationContext): FlagStructure;
}

export type FlagStructure = Readonly<Record<string, unknown>>;

export interface WatchedFlags extends FlagSet {
  /**
   * `ready`: as ZooKeeper shows them. `stale`: the last known ones, from before or from the file; they stay unchanged.
   * `none`: none were ever known here, and each default of the program counts.
   */
  readonly state: FlagsState;
  /** When they were last known to be current, ms since the epoch; 0: not in this process. */
  readonly asOf: number;
  /**
   * Calls the listener after each change of a flag or of the state; `flags` names the flags that were set, changed or
   * removed.
   */
  onChange(listener: (change: FlagsChange) => void): () => void;
  /** Resolves once the state is `ready`; rejects when `signal` fires or the watch ends. */
  ready(signal?: AbortSignal): Promise<void>;
  /** Ends the watch. What is known stays and is `stale`. */
  close(): Promise<void>;
}

export type FlagsState = 'ready' | 'stale' | 'none';

export interface FlagsChange {
  readonly flags: readonly string[];
  readonly state: FlagsState;
}
