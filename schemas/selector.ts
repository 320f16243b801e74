import { type Refused, refuse, shown } from './refusal.ts';

/**
 * The one grammar that selects agents by their labels, on the command line and in policies: terms separated by commas,
 * all of which must hold.
 *
 *     role=web            the label is there with this value (== is the same)
 *     zone!=b             it has another value, or is not there
 *     zone in (a,b)       it has one of these values
 *     zone notin (a,b)    it has none of them, or is not there
 *     canary              it is there, whatever its value
 *     !canary             it is not there
 */
type Selector = readonly SelectorTerm[];

interface SelectorTerm {
  readonly label: string;
  readonly is: 'in' | 'notin' | 'exists' | 'absent';
  /** Empty for `exists` and `absent`. */
  readonly values: readonly string[];
}

/** No person writes a longer one. The bound keeps a policy small. */
const MAX_SELECTOR_CHARACTERS = 500;

/** Never throws. Code SELECTOR. */
export function parseSelector(text: string): { ok: true; selector: Selector } | Refused {
  if (text.length > MAX_SELECTOR_CHARACTERS) {
    return refuse('SELECTOR', `a selector of ${text.length} characters, at most ${MAX_SELECTOR_CHARACTERS}`);
  }
  const terms: SelectorTerm[] = [];
  for (const piece of splitTerms(text)) {
    const term = parseTerm(piece);
    if (term === null) return refuse('SELECTOR', `${shown(piece)} is no term of a selector`, hintFor(piece));
    terms.push(term);
  }
  return { ok: true, selector: terms };
}

/** Whether an agent with these labels is selected. */
export function matches(selector: Selector, labels: Readonly<Record<string, string>>): boolean {
  return selector.every(({ label, is, values }) => {
    const value = Object.hasOwn(labels, label) ? labels[label] : undefined;
    if (is === 'exists') return value !== undefined;
    if (is === 'absent') return value === undefined;
    const among = value !== undefined && values.includes(value);
    return is === 'in' ? among : !among;
  });
}

const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?';
const EXISTS = new RegExp(`^(!?)\\s*(${LABEL})$`);
const EQUALS = new RegExp(`^(${LABEL})\\s*(==|!=|=)\\s*(${LABEL}|)$`);
const AMONG = new RegExp(`^(${LABEL})\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const VALUE = new RegExp(`^(?:${LABEL}|)$`);

function parseTerm(piece: string): SelectorTerm | null {
  const equals = EQUALS.exec(piece);
  if (equals) {
    const [, label = '', sign, value = ''] = equals;
    if (sign === '==' && value === '') return null;
    return { label, is: sign === '!=' ? 'notin' : 'in', values: [value] };
  }
  const among = AMONG.exec(piece);
  if (among) {
    const values = (among[3] ?? '').split(',').map((value) => value.trim());
    const legal = values.every((value) => VALUE.test(value)) && values.join('') !== '';
    return legal ? { label: among[1] ?? '', is: among[2] === 'in' ? 'in' : 'notin', values } : null;
  }
  const exists = EXISTS.exec(piece);
  if (!exists) return null;
  return { label: exists[2] ?? '', is: exists[1] === '!' ? 'absent' : 'exists', values: [] };
}

/** Undefined: the hint of every selector that cannot be read. */
function hintFor(piece: string): string | undefined {
  const label = new RegExp(`^(${LABEL})\\s*==$`).exec(piece)?.[1];
  if (label === undefined) return undefined;
  return `give the value: ${label}==VALUE; or ${label} for any value, !${label} for agents without it, ${label}= for an empty one`;
}

/** Splits at the commas outside parentheses. */
function splitTerms(text: string): string[] {
  const pieces: string[] = [];
  let [start, depth] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (character !== ',' || depth > 0) continue;
    pieces.push(text.slice(start, at).trim());
    start = at + 1;
  }
  return [...pieces, text.slice(start).trim()];
}
