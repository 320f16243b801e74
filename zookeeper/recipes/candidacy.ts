import type { Held } from './queue-node.ts';

/** A period of leadership. Its `fence` identifies the term. To release it, leave the candidacy. */
export type Term = Omit<Held, 'release'>;

export interface Candidacy {
  /** Set while we lead and the term's signal has not fired. */
  readonly term: Term | undefined;
  /** True while we have a node in the election, leading or not. */
  readonly standing: boolean;
  /** Calls `listener` at each beginning and end of a term. The returned function removes it. */
  onChange(listener: (term: Term | undefined) => void): () => void;
  /** Gives up leading and standing. Idempotent; never throws. */
  leave(): Promise<void>;
}
