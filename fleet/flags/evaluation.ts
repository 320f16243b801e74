export type FlagValue = boolean | string | number | { readonly [member: string]: unknown };

/** What is known of the one who asks. `targetingKey` names it for shares: a user, a session, a server. */
export interface EvaluationContext {
  readonly targetingKey?: string;
}

/** Reasons and error codes are those of OpenFeature (https://openfeature.dev/specification/types). */
export type Evaluation =
  | { readonly value: FlagValue; readonly variant: string; readonly reason: 'STATIC' | 'SPLIT' | 'DEFAULT' }
  /** The flag says nothing: the program's own default counts. */
  | { readonly value: null; readonly variant: null; readonly reason: 'DISABLED' | 'DEFAULT' }
  | { readonly value: null; readonly variant: null; readonly reason: 'ERROR'; readonly errorCode: EvaluationError };

type EvaluationError = 'FLAG_NOT_FOUND' | 'PARSE_ERROR';
