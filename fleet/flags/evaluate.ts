import type { Flag, Flags } from '../../schemas/flags.ts';
import type { Evaluation, EvaluationContext, FlagValue } from './evaluation.ts';
import { isPlain, sharesOf, variantOf } from './fractional.ts';

/**
 * The value of a flag. Local and synchronous: it reads the document and nothing else. A rule that this version does not
 * know gives the default variant, as flagd does where a rule has no answer.
 */
export function evaluate(flags: Flags, name: string, context: EvaluationContext = {}): Evaluation {
  const flag = flags.flags.get(name);
  if (flag) return ofFlag(name, flag, context);
  const known = flags.unusable.some((each) => each.name === name);
  return { value: null, variant: null, reason: 'ERROR', errorCode: known ? 'PARSE_ERROR' : 'FLAG_NOT_FOUND' };
}

function ofFlag(name: string, flag: Flag, { targetingKey }: EvaluationContext): Evaluation {
  if (flag.state === 'DISABLED') return { value: null, variant: null, reason: 'DISABLED' };
  if (isPlain(flag.targeting)) return ofVariant(flag, flag.defaultVariant ?? null, 'STATIC');
  const shares = sharesOf(flag.targeting);
  // Without a key nothing can be shared out.
  const variant = shares && targetingKey ? variantOf(name, targetingKey, shares) : null;
  return variant !== null && Object.hasOwn(flag.variants, variant)
    ? ofVariant(flag, variant, 'SPLIT')
    : ofVariant(flag, flag.defaultVariant ?? null, 'DEFAULT');
}

function ofVariant(flag: Flag, variant: string | null, reason: 'STATIC' | 'SPLIT' | 'DEFAULT'): Evaluation {
  if (variant === null) return { value: null, variant: null, reason: 'DEFAULT' };
  return { value: flag.variants[variant] as FlagValue, variant, reason };
}
