import type { Noted } from '../../fleet/records/check-chain.ts';
import { verifyHistory } from '../../fleet/records/verify-history.ts';
import { verifyLines } from '../../publisher/screens/verify-lines.ts';
import { jsonLine } from '../../runtime/safe-text.ts';
import type { VerifyOutput } from '../../schemas/json-output.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, usage } from '../shell/terminal.ts';

/** `gitfleet history --verify [--head d-150:SHA256]`: exits 1 if a record was changed, removed or added. */
export async function verify({ options }: Call): Promise<number> {
  const noted = options['head'] === undefined ? null : notedHead(String(options['head']));
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const chains = await verifyHistory(session, znodes(settings.app), noted);
    const whole = chains.every(({ findings }) => findings.length === 0);
    const output = chains.map(({ prefix, findings, ...seen }): VerifyOutput => {
      const chain = prefix === 'd' ? 'deployments' : 'audit';
      return { chain, whole: findings.length === 0, ...seen, findings: [...findings] };
    });
    say(...(options['json'] ? output.map(jsonLine) : verifyLines(chains)));
    return whole ? EXIT.converged : EXIT.failed;
  });
}

/** In the form that `--verify` prints. @throws FleetError USAGE */
function notedHead(word: string): Noted {
  const [, prefix, number, hash] = /^([da])-([1-9]\d{0,14}):([0-9a-f]{64})$/.exec(word) ?? [];
  if (!hash) throw usage(`${JSON.stringify(word.slice(0, 90))} is no head`, 'give it as history --verify printed it');
  return { prefix: prefix as 'd' | 'a', number: Number(number), hash };
}
