import type { Held } from './queue-node.ts';

/** A period of leading. Its `fence` names the term; its `release` is `leave` of the candidacy. */
export type Term = Omit<Held, 'release'>;

export interface Candidacy {
  /** While we lead, and the signal of it has not fired. */
  readonly term: Term | undefined;
  /** True while we have a node in the election, leading or not. */
  readonly standing: boolean;
  /** After each beginning and end of a term. */
  onChange(listener: (term: Term | undefined) => void): () => void;
  /** Gives up leading and standing. Idempotent; never throws. */
  leave(): Promise<void>;
}
