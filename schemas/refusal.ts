import { type Code, codes } from '../runtime/codes.ts';
import type { OwnFailure } from '../runtime/errors.ts';
import { clean } from '../runtime/safe-text.ts';

/**
 * How this folder refuses. A value from outside is judged without throwing: the answer is the value or a failure whose
 * `reason` is safe for logs, znodes and terminals. A refusal is always a `stall`: the same bytes are refused again, so
 * only a person, or the next target, changes anything.
 */
export interface Refused {
  readonly ok: false;
  readonly failure: OwnFailure;
}

/** An operator reads one screen, not sixteen KiB of foreign content. */
const MAX_ISSUES = 5;
const MAX_CHARACTERS = 200;

export function refuse(code: Code, reasons: string | readonly string[], hint: string = codes()[code].hint): Refused {
  const all = typeof reasons === 'string' ? [reasons] : reasons;
  const reason = all
    .slice(0, MAX_ISSUES)
    .map((each) => cut(clean(each)))
    .join('; ');
  return { ok: false, failure: { code, reason, hint, next: 'stall' } };
}

/**
 * A rejected value, made safe to show: quoted, plain ASCII, short, and without possible secrets. Everything before the
 * last `@` and after a `?` is removed, wherever a slash or a second `@` inside a password would have put the boundary.
 */
export function shown(value: string): string {
  const scheme = /^[a-z+]{1,12}:\/\//.exec(value)?.[0] ?? '';
  const rest = value.slice(scheme.length).replace(/\?.*$/s, '?***');
  const at = rest.lastIndexOf('@');
  const safe = at < 0 || rest.slice(0, at) === 'git' ? rest : `***${rest.slice(at)}`;
  return cut(ascii(JSON.stringify(scheme + safe)), 120);
}

function ascii(text: string): string {
  return text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function cut(text: string, most = MAX_CHARACTERS): string {
  return text.length > most ? `${text.slice(0, most - 3)}...` : text;
}
