import { describe, expect, it } from 'vitest';
import type { AgentView } from '../../fleet/fleet-view.ts';
import { judgeSignature, keptSignatureWords } from '../../publisher/required-signature.ts';
import { signatureWords, signedWith } from '../../publisher/screens/signature-lines.ts';
import { deployment } from '../../schemas/deployment.ts';
import { parsePresence, presence, type Report } from '../../schemas/report.ts';

const card = { agentId: 'a', instanceId: 'i', machineId: 'm', pid: 1, host: 'h', startedAt: 0 };
const view = (audience: string | null, signer: string | null = null): AgentView => ({
  ...{ agentId: 'a', reportedAt: null, onlineSince: 0 },
  presence: presence().parse({ ...card, audience }),
  report: signer === null ? null : ({ targetVersion: '1.1', signer } as Report),
});
const offline: AgentView = { ...view('shop-production'), presence: null };
const [asks, free] = [view('shop-production'), view(null)];

describe('a publisher says beforehand what agents will make of its signature, or of none', () => {
  const rows: [string, AgentView[], string | null, string | null, string | null][] = [
    ['no agent requires one', [free, free], null, null, null],
    ['nobody is online', [offline], null, null, null],
    ['all have what they require', [asks, asks], 'shop-production', null, null],
    ['some require one, and it has a key', [asks, free], 'shop-production', null, null],
    ['some require one, and it has no key', [asks, free, offline], null, '1 of 2 agents require', null],
    ['all require one, and it has no key', [asks, asks], null, null, 'SIGNATURE_MISSING'],
    ['all require one for another audience', [asks], 'shop-staging', null, 'AUDIENCE'],
    ['some require one for another audience', [asks, free], 'shop-staging', 'yours is for shop-staging', null],
  ];
  it.each(rows)('%s', (_, fleet, audience, warning, refusal) => {
    const judged = judgeSignature(fleet, audience);
    expect(judged.refusal?.code ?? null).toBe(refusal);
    if (warning === null) expect(judged.warning).toBeNull();
    else expect(judged.warning).toContain(warning);
  });

  it('of going back without a key: whether the deployment has a signature at all', () => {
    const target = { url: 'https://h/s', commitId: 'a'.repeat(40), relativePath: 'shop' };
    const record = (more: object) =>
      deployment.parse({
        number: 4,
        target: { ...target, ...more },
        nonce: '',
        previous: null,
        by: '',
        reason: '',
        at: 0,
        via: 'publish',
        chain: null,
      });
    expect(keptSignatureWords([free], record({}))).toBeNull();
    expect(keptSignatureWords([asks], record({}))).toContain('and d-4 has none');
    expect(keptSignatureWords([asks], record({ signed: 'x', signature: 'y' }))).toContain('that of d-4 counts where');
  });
});

describe('a screen shows', () => {
  it('nothing where nothing is signed and nothing required', () => {
    expect(signatureWords(undefined, [free], '1.1')).toBe('');
    expect(signedWith(undefined)).toBe('');
    expect(signedWith('no signature')).toBe('');
  });

  it('the name that an agent verified, of the present target alone', () => {
    expect(signatureWords('x', [view('p', 'ann\n')], '1.1')).toMatch(
      /^signed by ann.*; 1 of 1 agents require a signature$/,
    );
    expect(signatureWords(undefined, [view('p', 'ann')], '2.2')).toBe('not signed; 1 of 1 agents require a signature');
  });

  it('no requirement of an agent of an older version, or of one that says something else', () => {
    const said = (audience: unknown) => parsePresence(Buffer.from(JSON.stringify({ ...card, audience })))?.audience;
    expect([said(undefined), said(7), said('x'.repeat(101)), said('p')]).toEqual([null, null, null, 'p']);
  });
});
