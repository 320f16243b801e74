import { describe, expect, it } from 'vitest';
import type { AgentView } from '../../fleet/fleet-view.ts';
import { type CommitFacts, judgeCommit } from '../../publisher/required-commit.ts';
import { parsePresence } from '../../schemas/report.ts';
import type { CommitId, RepositoryUrl } from '../../schemas/values.ts';

const URL = 'https://git.example.com/shop.git' as RepositoryUrl;
const COMMIT = 'c'.repeat(40) as CommitId;
const TIP = 'd'.repeat(40);
const MAIN = [{ url: URL, refs: ['refs/heads/main'] }];

const agent = (rules: object): AgentView =>
  ({ agentId: 'web-1', presence: { reachableFrom: null, signedCommits: false, ...rules } }) as unknown as AgentView;
const offline = { agentId: 'web-9', presence: null } as AgentView;
const free = agent({});
const onMain = agent({ reachableFrom: MAIN });

/** @param contained what the clone says of the tip; null: it does not know. */
const facts = (
  tips: Record<string, string>,
  contained: boolean | null,
  signature: boolean | null = null,
): CommitFacts => ({
  tips: async (refs) => refs.map((ref) => tips[ref] ?? null),
  graph: {
    containedIn: async (_, ids) => (contained === null ? null : contained ? [...ids] : []),
    hasSignature: async () => signature,
  },
});
const main = { 'refs/heads/main': TIP };

const verdict = async (fleet: AgentView[], known: CommitFacts, more: { signs?: boolean } = {}) => {
  const asked = { url: URL, commitId: COMMIT, signs: false, ref: null, ...more };
  const { warning, refusal } = await judgeCommit(fleet, asked, known);
  return refusal ? `${refusal.code}: ${refusal.message}` : warning;
};

describe('before a publish, the branches that agents require', () => {
  const rows: [string, AgentView[], CommitFacts, { signs?: boolean }, string | null][] = [
    ['no agent has a rule: nothing is asked', [free], facts({}, false), {}, null],
    ['nor one that is offline', [offline], facts(main, false), {}, null],
    ['the commit is the tip', [onMain], facts({ 'refs/heads/main': COMMIT }, null), {}, null],
    ['the clone has it in the history of the tip', [onMain], facts(main, true), {}, null],
    ['the clone does not know the tip: agents look', [onMain], facts(main, null), {}, null],
    [
      'a signer is told that this is not known',
      [onMain],
      facts(main, null),
      { signs: true },
      'whether cccccccccccc is on refs/heads/main is not known here, and the signature says that it may run',
    ],
    [
      'all agents will refuse it: nothing is published',
      [onMain, offline],
      facts(main, false),
      {},
      'NOT_ON_BRANCH: 1 of 1 agents accept only commits on refs/heads/main, and cccccccccccc is not one',
    ],
    [
      'the branch is gone',
      [onMain],
      facts({}, true),
      {},
      'NOT_ON_BRANCH: 1 of 1 agents accept only commits on refs/heads/main, and cccccccccccc is not one',
    ],
    [
      'some will refuse it',
      [onMain, free],
      facts(main, false),
      {},
      '1 of 2 agents accept only commits on refs/heads/main, and cccccccccccc is not one: they will refuse this target',
    ],
    [
      'a signer does not sign what some would refuse, since agents rely on the signature',
      [onMain, free],
      facts(main, false),
      { signs: true },
      'NOT_ON_BRANCH: 1 of 2 agents accept only commits on refs/heads/main, and cccccccccccc is not one',
    ],
    [
      'the rules are about other repositories',
      [agent({ reachableFrom: [{ url: `${URL}2`, refs: ['refs/heads/main'] }] })],
      facts(main, true),
      {},
      'NOT_ON_BRANCH: 1 of 1 agents accept only commits of other repositories, and cccccccccccc is not one',
    ],
    [
      'a tag counts by its own commit, whatever the clone says of its history',
      [agent({ reachableFrom: [{ url: URL, refs: ['refs/tags/v1'] }] })],
      facts({ 'refs/tags/v1': TIP }, true),
      {},
      'NOT_ON_BRANCH: 1 of 1 agents accept only commits on refs/tags/v1, and cccccccccccc is not one',
    ],
  ];
  it.each(rows)('%s', async (_, fleet, known, more, expected) => {
    expect(await verdict(fleet, known, more)).toBe(expected);
  });

  it('leaves it to the agents where the repository cannot be asked', async () => {
    const away = { ...facts(main, false), tips: () => Promise.reject(new Error('away')) };
    expect(await verdict([onMain], away)).toBe(null);
  });
});

describe('before a publish, signed commits', () => {
  const signed = agent({ signedCommits: true });
  const rows: [string, AgentView[], boolean | null, string | null][] = [
    ['none is required', [free], false, null],
    ['it carries a signature, which agents judge', [signed], true, null],
    ['the clone does not know', [signed], null, null],
    [
      'all will refuse it',
      [signed],
      false,
      'COMMIT_UNSIGNED: 1 of 1 agents require a signed commit, and cccccccccccc is not',
    ],
    [
      'some will refuse it',
      [signed, free],
      false,
      '1 of 2 agents require a signed commit, and cccccccccccc is not: they will refuse this target',
    ],
  ];
  it.each(rows)('%s', async (_, fleet, signature, expected) => {
    expect(await verdict(fleet, facts(main, true, signature))).toBe(expected);
  });
});

it('reads of a presence only plain branches and tags, since the names reach git', () => {
  const card = { agentId: 'a', instanceId: 'i', machineId: 'm', pid: 1, host: 'h', startedAt: 0 };
  const read = (...refs: string[]) =>
    parsePresence(Buffer.from(JSON.stringify({ ...card, reachableFrom: [{ url: URL, refs }] })))?.reachableFrom;
  expect(read('refs/heads/main', 'refs/tags/v1')).toEqual([{ url: URL, refs: ['refs/heads/main', 'refs/tags/v1'] }]);
  for (const ref of [
    ':/fix',
    '--all',
    'HEAD',
    'main@{1}',
    'refs/heads/a\u0000',
    'refs/heads/\u001b[2J',
    'refs/heads/*',
  ])
    expect(read('refs/heads/main', ref)).toBeNull();
});
