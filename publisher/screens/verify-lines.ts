import type { Checked } from '../../fleet/records/check-chain.ts';
import { count } from './words.ts';

/** Further findings are only counted. */
const MAX_FINDINGS = 20;

/** `gitfleet history --verify`: for each chain, its head if it is whole, to keep elsewhere; otherwise the findings. */
export function verifyLines(chains: readonly Checked[]): string[] {
  const open = chains.some((chain) => chain.open)
    ? ['the app is open: every client may rewrite every record; close it with: gitfleet init --close']
    : [];
  return [...chains.flatMap(linesOf), ...open];
}

function linesOf({ prefix, first, last, head, findings }: Checked): string[] {
  const what = prefix === 'd' ? 'deployments' : 'audit records';
  if (last === null && findings.length === 0) return [`${what}: none yet`];
  const range = last === null ? '' : ` of ${prefix}-${first} .. ${prefix}-${last}`;
  if (findings.length === 0) return [`${what}: the chain${range} is whole`, `  head ${prefix}-${last}:${head}`];
  const shown = findings.slice(0, MAX_FINDINGS).map((finding) => `  ${finding.what}`);
  const more = findings.length > shown.length ? [`  and ${findings.length - shown.length} more`] : [];
  return [`${what}: the chain${range} is broken (${count(findings.length, 'finding')})`, ...shown, ...more];
}
