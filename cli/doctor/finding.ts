import { classify } from '../../runtime/errors.ts';
import { visible } from '../../runtime/safe-text.ts';

/** The result of one check of `gitfleet doctor`. `warn`: it works, but may need attention. `fail`: it will not work. */
export interface Finding {
  readonly check: string;
  readonly verdict: 'ok' | 'warn' | 'fail';
  readonly says: string;
  /** What to do; null if there is nothing to do. */
  readonly hint: string | null;
}

export const ok = (check: string, says: string): Finding => ({ check, verdict: 'ok', says, hint: null });
export const warning = (check: string, says: string, hint: string): Finding => ({ check, verdict: 'warn', says, hint });
export const failed = (check: string, says: string, hint: string): Finding => ({ check, verdict: 'fail', says, hint });

/** A failure of ours as a finding, with its code, reason and hint. */
export function fromError(check: string, error: unknown): Finding {
  const { code, message, hint } = classify(error);
  return failed(check, `${code}: ${message}`, hint);
}

/** The whole report in plain lines: one per finding, with its hint below it, and the verdict last. */
export function findingLines(about: string, findings: readonly Finding[]): string[] {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const word = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' };
  const count = (verdict: Finding['verdict']) => findings.filter((finding) => finding.verdict === verdict).length;
  return [
    about,
    ...findings.flatMap(({ check, verdict, says, hint }) => [
      `  ${word[verdict]}  ${check.padEnd(width)}  ${visible(says, 400)}`,
      ...(hint === null ? [] : [`        ${' '.repeat(width)}  ${visible(hint, 400)}`]),
    ]),
    verdictLine(count('fail'), count('warn'), findings.length),
  ];
}

function verdictLine(fails: number, warns: number, all: number): string {
  const warned = warns === 0 ? '' : `, ${warns} ${warns === 1 ? 'warning' : 'warnings'}`;
  if (fails > 0) return `${fails} of ${all} checks FAILED${warned}: fix the first one first, others may follow from it`;
  return warns === 0 ? `all ${all} checks passed` : `${all - warns} of ${all} checks passed${warned}`;
}
