import { describe, expect, it } from 'vitest';
import { checkHold, checkQuarantine } from '../../../fleet/admission.ts';
import type { Change } from '../../../publisher/change.ts';
import type { DeploymentProgress } from '../../../publisher/follow.ts';
import { planPublish } from '../../../publisher/plan.ts';
import { agentLines, presentTargetOf } from '../../../publisher/screens/agent-screen.ts';
import {
  forgottenLines,
  holdLines,
  quarantineLines,
  unholdLines,
  unquarantineLines,
} from '../../../publisher/screens/brake-lines.ts';
import { changeLines } from '../../../publisher/screens/change-lines.ts';
import { width } from '../../../publisher/screens/columns.ts';
import { againWords, historyLines, pastLines } from '../../../publisher/screens/history-screen.ts';
import { planLines, planOutputOf, publishWords } from '../../../publisher/screens/plan-screen.ts';
import {
  createProgressLines,
  endedFailures,
  progressFrame,
  verdictLines,
} from '../../../publisher/screens/progress-lines.ts';
import { attachedLines, detachedLines, publishedLines } from '../../../publisher/screens/published-lines.ts';
import { statusChanges } from '../../../publisher/screens/status-output.ts';
import { asksForWayBack, type StatusPicture, statusLines } from '../../../publisher/screens/status-screen.ts';
import { verifyLines } from '../../../publisher/screens/verify-lines.ts';
import type { Ending } from '../../../publisher/verdict.ts';
import { judgeDeployment } from '../../../publisher/verdict.ts';
import { classify, FleetError } from '../../../runtime/errors.ts';
import { type Deployment, UNREADABLE } from '../../../schemas/deployment.ts';
import { encodeHold, encodeQuarantine, parseHold, parseQuarantine } from '../../../schemas/hold.ts';
import { policy as policySchema } from '../../../schemas/policy.ts';
import { type AuditKind, auditRecord } from '../../../schemas/records/audit.ts';
import { type Rollout, rollout as rolloutSchema } from '../../../schemas/rollout.ts';
import type { CommitId, RelativePath, RepositoryUrl } from '../../../schemas/values.ts';
import * as make from '../fixtures.ts';

const { SCREEN, WINDOW, NOW, SECOND, HOUR, OLD, NEW, VERSION, MIXED, THOUSAND, ODD } = make;

/**
 * Every screen at 80 cells, made of fixed data. After a wanted change: `npx vitest run test/publisher/screens/golden.test.ts -u`,
 * and read the difference as whoever is on call would.
 */
async function shows(name: string, lines: readonly string[]): Promise<void> {
  for (const line of lines)
    expect(line, 'a screen has no control characters').not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`golden/${name.split('-', 1)[0]}/${name}.txt`);
}

/** What config holds on all of them. */
const PRESENT = presentTargetOf(make.picture([]).state);

const hold = { by: 'bob', reason: 'inventory', at: NOW - HOUR, end: NOW + 2 * HOUR };
const entry = (commitId: CommitId) => ({ commitId, reason: 'empties the cart', by: 'ann', at: NOW - 2 * HOUR });
const stale = { since: NOW - 12 * SECOND, reason: 'get /app/business/config: DEADLINE', refusal: null };
const uncounted = (picture: StatusPicture): StatusPicture => {
  const unreadable = 'the deployments znode holds "NaN" instead of the last number';
  return { ...picture, state: { ...picture.state, deployments: { ...picture.state.deployments, unreadable } } };
};
const refused = { ...stale, reason: 'get /app/business/config: NO_AUTH', refusal: 'give another credential' };

describe('status', () => {
  it.each([
    ['status-settled', make.picture([make.agent('web-1'), make.agent('web-2')])],
    ['status-mixed', make.picture(MIXED)],
    ['status-thousand', make.picture(THOUSAND)],
    ['status-names', make.picture(ODD)],
    ['status-nobody', make.picture([])],
    ['status-suspended', make.picture(MIXED.slice(0, 1))],
    [
      'status-suspended-chosen',
      { ...make.picture(MIXED.slice(0, 1)), selection: { selector: 'role=web', online: 0, offline: 1 } },
    ],
    ['status-none-chosen', { ...make.picture([]), selection: { selector: 'zone=none\u001b', online: 3, offline: 2 } }],
    [
      'status-chosen',
      { ...make.picture([make.agent('web-1')]), selection: { selector: 'zone=a', online: 0, offline: 1 } },
    ],
    ['status-empty', make.picture([make.agent('web-1', { reportedAt: null })], { config: '', record: null })],
    ['status-foreign', make.picture([make.agent('web-1')], { record: null })],
    ['status-refused', make.picture([make.agent('web-1')], { config: '{"url":"x"}' })],
    ['status-held', make.picture([make.agent('web-1')], { hold, quarantined: [entry(NEW)] })],
    ['status-wave', make.picture(MIXED.slice(1, 3), {}, { state: 'running', wave: 2, members: ['web-1', 'web-2'] })],
    [
      'status-paused',
      make.picture(
        MIXED.slice(1, 3),
        {},
        { state: 'paused', paused: { by: 'ann', reason: 'the shop is slow', at: NOW } },
      ),
    ],
    [
      'status-halted',
      make.picture(MIXED.slice(1, 4), {}, { state: 'halted', reason: '1 of at most 0 agents failed: web-3' }),
    ],
    [
      'status-aborted',
      make.picture(MIXED.slice(1, 4), {}, { state: 'aborted', reason: 'aborted by ann: wrong branch' }),
    ],
    ['status-uncounted', uncounted(make.picture(MIXED.slice(0, 3)))],
    ['status-stale', { ...make.picture(MIXED.slice(0, 3)), stale }],
    ['status-unreadable', { ...make.picture(MIXED.slice(0, 3)), stale: refused }],
  ])('%s', async (name, picture) => {
    await shows(name, statusLines(picture, SCREEN));
  });

  it('says how long a wave has been watched, and calls nobody done who is not', () => {
    const rule = policySchema().parse({ canary: 2, soak: '2m' });
    const second = (fleet: typeof MIXED, more: Partial<Rollout>) => {
      const soaks: Partial<Rollout> = {
        state: 'running',
        members: ['web-1', 'web-3'],
        policy: rule,
        soakAt: NOW - 14 * SECOND,
      };
      return statusLines(make.picture(fleet, {}, { ...soaks, ...more }), SCREEN)[2];
    };
    const well = [make.agent('web-1'), make.agent('web-3')];
    const failed = [MIXED[1], MIXED[3]] as typeof MIXED;
    expect(second(well, {})).toBe('  canary: web-1, web-3, done, watched for 14 s of 2m');
    expect(second(well, { soakAt: NOW - HOUR })).toMatch(/watched for 2 min of 2m$/);
    expect(second(well, { soakAt: NOW + HOUR })).toMatch(/watched for 0\.0 s of 2m$/);
    expect(second(well, { soakAt: null })).toBe('  canary: web-1, web-3');
    expect(second(failed, { excused: ['web-3'] })).toBe('  canary: web-1, done without web-3, watched for 14 s of 2m');
    expect(second(failed, { members: ['web-3'] })).toBe('  canary: continues without web-3, watched for 14 s of 2m');
    expect(second([], { excused: ['web-3'] })).toBe('  canary: web-1, done without web-3, watched for 14 s of 2m');
  });

  it.each([
    [null, 'gitfleet status web-3; BACK; gitfleet retry (once the cause is fixed)'],
    ['running', 'gitfleet status web-3; BACK'],
    ['failed', 'gitfleet status web-3; BACK; gitfleet retry (once the cause is fixed)'],
    ['halted', 'BACK; gitfleet resume (continue without these agents); gitfleet retry; gitfleet abort'],
    ['aborted', 'BACK; gitfleet retry'],
  ] as const)(
    '%s: says what to do next as its publish did, and names a way back only where there is one',
    (state, next) => {
      const rollout = state && { state };
      const wayBack = make.record({ number: 3, target: { url: make.URL, commitId: OLD, relativePath: 'shop' } });
      const picture = make.picture([...MIXED.slice(1, 2), ...MIXED.slice(3, 4)], {}, rollout);
      const last = (more: object) => statusLines({ ...picture, ...more }, SCREEN).at(-1);
      expect(last({ wayBack })).toBe(`next: ${next.replace('BACK', 'back to d-3 1f2e3d4c5b: gitfleet rollback')}`);
      expect(last({})).toBe(`next: ${next.replace(/BACK; |; BACK/, '')}`);
      expect(asksForWayBack(picture)).toBe(true);
    },
  );

  it('says after an abort what to do also where no agent failed', () => {
    const aborted = make.picture(MIXED.slice(1, 3), {}, { state: 'aborted' });
    expect(statusLines(aborted, SCREEN).at(-1)).toBe('next: gitfleet retry');
    expect(asksForWayBack(make.picture(MIXED.slice(1, 3)))).toBe(false);
  });

  it('of one agent names the way back where there is one', () => {
    const failed = MIXED[3] as (typeof MIXED)[number];
    const last = agentLines(failed, PRESENT, SCREEN, make.previous()).at(-1);
    expect(last).toMatch(/its log; back to d-6 1f2e3d4c5b: gitfleet rollback$/);
  });

  it('in a window is cut to its lines and cells, with the worst first', async () => {
    for (const [name, picture] of [
      ['window-mixed', make.picture(MIXED)],
      ['window-thousand', make.picture(THOUSAND)],
      ['window-names', make.picture(ODD)],
    ] as const) {
      const lines = statusLines(picture, WINDOW, 12);
      expect(lines.length).toBeLessThanOrEqual(12);
      for (const line of lines) expect(width(line)).toBeLessThanOrEqual(80);
      await shows(name, lines);
    }
  });

  it('never takes more than the window has, however low and narrow it is', () => {
    const worst = {
      ...make.picture(THOUSAND, { hold, quarantined: [entry(NEW)] }, { state: 'halted', reason: 'x' }),
      stale,
    };
    const followedPictures = [worst, make.picture(MIXED), make.picture(ODD), make.picture([], { config: '', hold })];
    for (const picture of followedPictures) {
      for (let rows = 4; rows <= 40; rows += 1) {
        const narrow = { ...WINDOW, columns: rows * 3 };
        const verdict = { ...progress(picture.fleet, 4_200, null), stale };
        for (const lines of [statusLines(picture, narrow, rows), progressFrame(verdict, followed, narrow, rows)]) {
          expect(lines.length).toBeLessThanOrEqual(rows);
          for (const line of lines) expect(width(line)).toBeLessThanOrEqual(narrow.columns);
        }
      }
    }
  });

  it('elsewhere tells what became different', async () => {
    const before = make.picture([make.agent('web-1'), make.agent('web-2'), make.agent('web-3')]);
    const failed = MIXED[3] as (typeof MIXED)[number];
    const after = make.picture([make.agent('web-1'), { ...failed, agentId: 'web-2' }]);
    await shows('changes', [
      ...statusChanges(before, after, SCREEN),
      ...statusChanges(after, { ...after, stale }, SCREEN),
      ...statusChanges({ ...after, stale }, { ...after, stale: refused }, SCREEN),
      ...statusChanges({ ...after, stale }, after, SCREEN),
      ...statusChanges(make.picture(THOUSAND.map((view) => make.agent(view.agentId))), make.picture(THOUSAND), SCREEN),
    ]);
    expect(statusChanges(after, after, { ...SCREEN, now: NOW + HOUR })).toEqual([]);
  });

  it.each([...MIXED, ...ODD].map((view, at) => [at, view] as const))('of one agent: %i', async (at, view) => {
    await shows(`agent-${at}`, agentLines(view, PRESENT, SCREEN));
  });

  it('of one agent that a person keeps on another commit, who gave no reason', async () => {
    const override = { by: 'root', reason: '', at: NOW - HOUR };
    const kept = { override, activeCommit: OLD, desiredCommit: OLD, deployment: null };
    const views = [
      make.agent('web-1', kept),
      make.agent('web-2', { phase: 'suspended', suspended: { by: 'root', reason: '', at: NOW - HOUR } }),
    ];
    await shows('agent-kept', [
      ...views.flatMap((view) => agentLines(view, PRESENT, SCREEN)),
      ...statusLines(make.picture(views), SCREEN),
    ]);
  });

  it('of one agent that a person must help, and that tries again all the same', async () => {
    const auth = make.failure('AUTH', 'git@host refused the key', 'give the agent a key that it takes', 'stall');
    const view = make.agent('web-1', { phase: 'failed', activeCommit: OLD, ...auth, retries: true });
    const lines = agentLines(view, PRESENT, SCREEN);
    await shows('agent-auth', lines);
    expect(agentLines(make.agent('web-1', { phase: 'failed', ...auth }), PRESENT, SCREEN).join('\n')).not.toContain(
      'tries again',
    );
  });

  it('of one agent that has drifted, and of one that cannot write its report', async () => {
    const problem = 'its report cannot be written: NO_AUTH at /app/business/agents/web-1';
    await shows('agent-drift', agentLines(make.agent('web-1', { drift: ['index.html', 'a\u001bb'] }), PRESENT, SCREEN));
    const silent = make.agent('web-1', { online: { problem }, targetVersion: '1d.1', reportedAt: NOW - 90 * HOUR });
    await shows('agent-no-auth', agentLines(silent, PRESENT, SCREEN));
  });
});

const followed = { record: make.record(), previous: make.previous(), targetVersion: VERSION };
const progress = (
  fleet: typeof MIXED,
  elapsedMs: number,
  ending: Ending | null,
  over: Partial<DeploymentProgress> = {},
) => ({
  ...{ verdict: judgeDeployment(fleet, new Set(fleet.map((view) => view.agentId)), VERSION), elapsedMs, ending },
  ...{ stale: null, supersededBy: null, wayBack: null, rollout: null, isLed: false, reason: '', ...over },
});

describe('a deployment that is followed', () => {
  it('in plain lines: each settled agent, what fails with hint and output, what is waited for, the verdict', async () => {
    const lines = createProgressLines(followed, () => NOW);
    const begun = [make.agent('web-1', { reportedAt: null }), MIXED[2]] as typeof MIXED;
    await shows('follow-failed', [
      ...publishedLines(followed, null, SCREEN),
      ...lines.next(progress(begun, 200, null)),
      ...lines.next(progress([make.agent('web-1'), ...MIXED.slice(2, 5)], 3 * SECOND, null)),
      ...lines.next(progress([make.agent('web-1'), ...MIXED.slice(2, 5)], 11 * SECOND, null)),
      ...lines.next(
        progress(MIXED.slice(2, 5), 12 * SECOND, null, { stale: { ...stale, reason: 'connection refused' } }),
      ),
      ...lines.next(progress(MIXED.slice(2, 5), 15 * SECOND, null)),
      ...lines.next(progress([make.agent('web-1'), MIXED[3], MIXED[8]] as typeof MIXED, 20 * SECOND, 'failed')),
    ]);
  });

  it.each([
    ['failed', true, 'next: gitfleet status; BACK; gitfleet retry (once the cause is fixed)'],
    ['failed', false, 'next: gitfleet status; BACK'],
    ['halted', true, 'next: BACK; gitfleet resume (continue without these agents); gitfleet retry; gitfleet abort'],
    ['aborted', true, 'next: BACK; gitfleet retry'],
  ] as const)('%s (led: %s): the way back is the one that rollback takes, or none is named', (ending, isLed, next) => {
    const wayBack = make.record({ number: 3, target: { ...followed.record.target, commitId: OLD } });
    const last = (over: Partial<DeploymentProgress>) =>
      createProgressLines(followed, () => NOW)
        .next(progress([make.agent('web-1')], 4_200, ending, { isLed, ...over }))
        .at(-1);
    expect(last({ wayBack })).toBe(next.replace('BACK', 'back to d-3 1f2e3d4c5b: gitfleet rollback'));
    expect(last({})).toBe(next.replace(/BACK; |; BACK/, ''));
  });

  it('says once that it was aborted', () => {
    const over = { isLed: true, reason: 'aborted by ann: wrong branch' };
    const lines = createProgressLines(followed, () => NOW).next(
      progress([make.agent('web-1')], 4_200, 'aborted', over),
    );
    expect(lines).toContain('d-7 9dbcdf1ee3 ABORTED by ann: wrong branch (1/1 online agents at 9dbcdf1ee3)');
  });

  it.each([
    [
      'the soak of the last wave',
      true,
      { soakAt: 1 },
      '1/1 online agents at 9dbcdf1ee3 after 11 s; waiting for the coordinator (wave 2: web-1, done, to be watched for 2m)',
    ],
    [
      'the look of the coordinator',
      true,
      {},
      '1/1 online agents at 9dbcdf1ee3 after 11 s; waiting for the coordinator (wave 2: web-1)',
    ],
    [
      'a person',
      true,
      { reason: 'the canary is well: waiting for gitfleet promote' },
      '1/1 online agents at 9dbcdf1ee3 after 11 s; the canary is well: waiting for gitfleet promote',
    ],
    [
      'a leader',
      false,
      { soakAt: 1 },
      '1/1 online agents at 9dbcdf1ee3 after 11 s; no coordinator leads the rollout: it continues when one is back (gitfleet status)',
    ],
  ] as const)('waits for %s where all agents show it, and says so', (_, isLed, more, says) => {
    const given = { deployment: 7, targetVersion: VERSION, state: 'running', wave: 2, members: ['web-1'], ...more };
    const rollout = rolloutSchema().parse({ ...given, policy: policySchema().parse({ soak: '2m' }) });
    const lines = createProgressLines(followed, () => NOW).next(
      progress([make.agent('web-1')], 11 * SECOND, null, { rollout, isLed }),
    );
    expect(lines.at(-1)).toBe(`  ${says}`);
  });

  it.each(['converged', 'superseded', 'timed-out', 'no-agents'] as const)('in plain lines: %s', async (ending) => {
    const fleet = ending === 'no-agents' ? [] : ending === 'converged' ? [make.agent('web-1')] : MIXED.slice(1, 3);
    const instead = make.record({ number: 8, by: 'bob', target: { ...followed.record.target, commitId: OLD } });
    const over = ending === 'superseded' ? { supersededBy: instead } : {};
    await shows(
      `follow-${ending}`,
      createProgressLines(followed, () => NOW).next(progress(fleet, 4_200, ending, over)),
    );
  });

  it('names who has to act where all that are online are taken out', () => {
    const out = make.agent('web-2', { phase: 'suspended', suspended: { by: 'root', reason: '', at: NOW - HOUR } });
    expect(
      createProgressLines(followed, () => NOW)
        .next(progress([out], 11 * SECOND, 'no-agents'))
        .slice(-2),
    ).toEqual([
      'd-7 9dbcdf1ee3 is published, but every agent that is online is suspended: each agent deploys it when it is resumed',
      'next: gitfleet status; on the server of web-2, gitfleet agent resume',
    ]);
  });

  it('a thousand agents in plain lines: failures and counts', async () => {
    await shows(
      'follow-thousand',
      createProgressLines(followed, () => NOW).next(progress(THOUSAND, 11 * SECOND, null)),
    );
  });

  it('on a terminal fits the window', async () => {
    for (const [name, fleet, rows] of [
      ['frame-mixed', MIXED, 23],
      ['frame-low', MIXED, 6],
      ['frame-thousand', THOUSAND, 23],
      ['frame-names', ODD, 23],
      ['frame-nobody', [], 23],
    ] as const) {
      const lines = progressFrame(progress(fleet, 4_200, null), followed, WINDOW, rows);
      expect(lines.length).toBeLessThanOrEqual(rows);
      for (const line of lines) expect(width(line)).toBeLessThanOrEqual(80);
      await shows(name, lines);
    }
    // The verdict stands below what was drawn last, and says how it ended: once.
    const ended = progress(MIXED.slice(1, 2), 4_200, 'converged');
    const last = [...progressFrame(ended, followed, WINDOW, 23), ...verdictLines(ended, 'converged', followed, NOW)];
    expect(last.filter((line) => line.includes('1/1 online agents'))).toHaveLength(1);
    const old = progressFrame(progress(MIXED.slice(1, 3), 4_200, null, { stale }), followed, WINDOW, 23);
    await shows('frame-stale', old);
    await shows('frame-failed', endedFailures(progress(MIXED, 20 * SECOND, 'failed'), SCREEN));
  });

  it('attached again, detached, and long over', async () => {
    const past = make.record({
      outcome: { ...make.outcome('failed', 2, 3), missing: [{ agentId: 'web-3', code: 'NO_SPACE' }] },
    });
    const again = { ...followed, again: true };
    await shows('attach', [
      ...attachedLines(followed, NOW),
      ...createProgressLines(again, () => NOW).next(progress(MIXED.slice(1, 3), 11 * SECOND, 'timed-out')),
      ...createProgressLines(again, () => NOW).next(progress([make.agent('web-1')], 4_900, 'converged')),
      ...detachedLines(followed),
      ...pastLines(past, NOW),
      ...pastLines(make.record({ outcome: make.outcome('proven', 3, 3) }), NOW),
      ...pastLines(make.record(), NOW),
    ]);
  });
});

const titles = Array.from({ length: 14 }, (_, at) => ({
  commitId: `${at + 10}`.repeat(20) as CommitId,
  title: `Change ${at}`,
}));
const change = (ahead: number | null, behind: number | null, over: Partial<Change> = {}): Change => ({
  ...{ from: OLD, to: NEW, ahead, behind, titles: titles.slice(0, Math.max(ahead ?? 0, behind ?? 0)), ...over },
});

describe('what changes', () => {
  it.each([
    ['change-forward', change(2, 0)],
    ['change-many', change(60, 0, { titles })],
    ['change-back', change(0, 3)],
    ['change-aside', change(1, 2, { titles: [{ commitId: NEW, title: 'a \u001b[31mred\u001b[0m title' }] })],
    ['change-same', change(0, 0, { to: OLD })],
    ['change-unknown', change(null, null)],
  ])('%s', async (name, what) => {
    const visible = { ...what, titles: what.titles };
    await shows(name, [...publishedLines(followed, null, SCREEN), ...changeLines(visible, false, SCREEN)]);
  });

  it('the same commit again is no way from it to itself', () => {
    const [first] = publishedLines({ ...followed, previous: make.record({ number: 6 }) }, null, SCREEN);
    expect(first).toBe('d-7: 9dbcdf1ee3 again (d-6) at shop, by ann  Prices go up');
  });

  it('the same commit from elsewhere is not only checked again', () => {
    const target = { url: 'https://git.example.com/moved.git', commitId: NEW, relativePath: 'shop' };
    const before = make.record({ number: 6 });
    const moved = { ...followed, previous: before, record: make.record({ target }) };
    expect(publishedLines(moved, change(0, 0, { from: NEW }), SCREEN).slice(1)).toEqual([
      '  the repository changes: from https://git.example.com/shop.git to https://git.example.com/moved.git',
      '  the commit stays the same',
    ]);
  });

  it('what is published already says where it has ended badly, and what tries it again', () => {
    const words = (outcome: Deployment['outcome']) => againWords(make.record({ outcome }));
    expect(words(make.outcome('failed', 0, 1))).toBe('; it has failed: gitfleet retry tries it again');
    expect(words(make.outcome('aborted', 0, 1))).toBe('; it was aborted: gitfleet retry tries it again');
    for (const none of [null, make.outcome('proven', 1, 1), make.outcome('timed-out', 0, 1)])
      expect(words(none)).toBe('');
  });

  it('the repository and the place', async () => {
    const target = { url: 'https://ann:secret@git.example.com/mine\u001b.git', commitId: NEW, relativePath: 'mine' };
    const moved = { ...followed, record: make.record({ target }) };
    await shows('change-place', [
      ...publishedLines(moved, change(1, 0), SCREEN),
      ...attachedLines(moved, NOW),
      ...publishedLines({ ...moved, previous: null }, null, SCREEN),
    ]);
    const words = { url: UNREADABLE, commitId: UNREADABLE, relativePath: UNREADABLE };
    const foreign = { ...moved, previous: make.record({ number: 6, target: words }) };
    expect(publishedLines(foreign, null, SCREEN)).toHaveLength(1);
  });

  it('by force', async () => {
    const lifted = { by: 'bob', reason: 'empties the cart', at: 1 };
    const forced = { ...followed, record: make.record({ lifted, reason: 'the fix of the fix' }) };
    await shows('change-forced', publishedLines(forced, change(1, 0), SCREEN));
  });
});

describe('plan', () => {
  const PUBLISH = publishWords({ options: {}, rev: 'feature' });
  const target = { url: make.URL as RepositoryUrl, commitId: NEW, relativePath: 'shop' as RelativePath };
  const resolved = { target, title: 'Prices go up', warnings: [], refusal: null, change: change(2, 0) };
  const older = JSON.stringify({ ...target, commitId: OLD });
  const plan = (over: object, facts: make.StateFacts, fleet = MIXED) =>
    planPublish(
      '/app/business',
      make.state({ config: older, ...facts }),
      fleet,
      { ...resolved, ...over },
      { force: false, now: NOW },
    );

  it('is what publish would do', async () => {
    await shows('plan', planLines(plan({}, {}), PUBLISH, SCREEN));
    await shows(
      'plan-same',
      planLines(plan({ change: change(0, 0, { from: NEW }) }, { config: JSON.stringify(target) }), PUBLISH, SCREEN),
    );
    const moved = {
      ...target,
      relativePath: 'shop2' as RelativePath,
      url: 'https://git.example.com/other.git' as RepositoryUrl,
    };
    await shows(
      'plan-elsewhere',
      planLines(plan({ target: moved, warnings: ['the repository could not be asked'] }, {}, []), PUBLISH, SCREEN),
    );
  });

  it('names who has to act where nobody would go', async () => {
    await shows('plan-suspended', planLines(plan({}, {}, MIXED.slice(0, 1)), PUBLISH, SCREEN));
    const policy = policySchema().parse({ canary: 'role=canary' });
    const options = { force: false, now: NOW, policy };
    const uncovered = planPublish('/app/business', make.state({ config: older }), MIXED.slice(1, 3), resolved, options);
    await shows('plan-no-canary', planLines(uncovered, PUBLISH, SCREEN));
    expect(planOutputOf(uncovered).waves).toEqual([]);
  });

  it('names what stops it', async () => {
    const refusal = new FleetError({
      code: 'COMMIT_NOT_ON_REMOTE',
      reason: 'it is not there',
      hint: 'git push it',
      next: 'stall',
    });
    const blocked = plan({ refusal }, { hold, quarantined: [entry(NEW)] });
    expect(blocked.blockers.map(({ code }) => code)).toEqual(['HOLD', 'QUARANTINED', 'COMMIT_NOT_ON_REMOTE']);
    await shows('plan-blocked', planLines(blocked, PUBLISH, SCREEN));
  });

  it.each([
    [{}, undefined, 'gitfleet publish'],
    [{ check: true, force: false, json: true }, 'feature', 'gitfleet publish feature'],
    [
      { url: 'https://git.example.com/a b.git', relativePath: "bob's", app: '/app/two' },
      'v1',
      "gitfleet publish v1 --url 'https://git.example.com/a b.git' --relative-path 'bob'\\''s' --app /app/two",
    ],
    [{ relativePath: '-shop', check: false }, 'v1', 'gitfleet publish v1 --relative-path=-shop --no-check'],
    [{ zookeeper: 'zk:2181', force: true }, 'v1', 'gitfleet publish v1 --zookeeper zk:2181 --force -m WHY'],
  ])('ends with the publish that it meant: %j %s', (options, rev, says) => {
    const lines = planLines(plan({}, {}), publishWords({ options, rev }), SCREEN);
    expect(lines.at(-1)).toBe(`nothing was written; next: ${says}`);
  });
});

it('what stops a deployment, and who is refused', async () => {
  const app = '/app/business';
  const refused = (act: () => void): string[] => {
    try {
      act();
      return ['nothing was refused'];
    } catch (error) {
      const { code, message, hint } = classify(error);
      return [`gitfleet: ${code}: ${message}`, `  ${hint}`];
    }
  };
  const forEver = { ...hold, end: null, reason: 'the \u001b[31mred\u001b[0m button' };
  await shows('brakes', [
    ...holdLines(app, hold),
    ...holdLines(app, forEver),
    ...unholdLines(app, hold),
    ...unholdLines(app, null),
    ...unholdLines(app, 'unreadable'),
    ...quarantineLines(app, entry(NEW), true, true),
    ...quarantineLines(app, entry(NEW), false, true),
    ...quarantineLines(app, entry(NEW), false, false),
    ...unquarantineLines(app, NEW, entry(NEW)),
    ...unquarantineLines(app, NEW, null),
    ...forgottenLines('web-\u001b9', 'report'),
    ...refused(() => checkHold(parseHold(encodeHold(hold)), NOW)),
    ...refused(() => checkHold(parseHold(encodeHold(forEver)), NOW)),
    ...refused(() => checkHold(parseHold(Buffer.from('stop!')), NOW)),
    ...refused(() => checkQuarantine(parseQuarantine(encodeQuarantine([entry(NEW)])), NEW)),
    ...refused(() => checkQuarantine(parseQuarantine(Buffer.from('{}')), NEW)),
    ...refused(() => checkHold(parseHold(encodeHold({ ...hold, at: 1e300 })), NOW)),
    ...refused(() => checkHold(parseHold(encodeHold({ ...hold, end: NOW })), NOW)),
  ]);
});

it('history', async () => {
  const target = (commitId: CommitId) => ({ url: make.URL, commitId, relativePath: 'shop' });
  const rows = [
    make.record({ number: 12, reason: 'the fix of the fix', lifted: { by: 'bob', reason: 'burns', at: 1 } }),
    make.record({
      number: 11,
      target: target(OLD),
      returnsTo: 9,
      by: '店長',
      outcome: make.outcome('proven', 3, 3),
    }),
    make.record({ number: 10, at: NOW - 3 * HOUR, outcome: make.outcome('failed', 1, 3), reason: '\u001b[31mred' }),
    make.record({ number: 9, target: target(OLD), at: NOW - 50 * HOUR, outcome: make.outcome('proven', 3, 3) }),
    make.record({
      number: 8,
      at: NOW - 90 * 24 * HOUR,
      outcome: make.outcome('superseded', 0, 3),
      by: 'a'.repeat(60),
    }),
    make.record({ number: 7, at: NOW - 91 * 24 * HOUR, reason: 'r'.repeat(300) }),
    make.record({ number: 6, at: NOW - 92 * 24 * HOUR, target: target(OLD), returnsTo: 4, reason: 'back to d-4' }),
  ];
  const mine = { url: 'https://ann:secret@git.example.com/mine.git', commitId: NEW, relativePath: 'mine' };
  rows.push(
    make.record({ number: 5, at: NOW - 93 * 24 * HOUR, target: target(OLD), returnsTo: 1, reason: 'back to d-3' }),
    make.record({ number: 4, at: NOW - 94 * 24 * HOUR, target: { ...target(OLD), url: mine.url }, reason: 'one' }),
    make.record({ number: 3, at: NOW - 95 * 24 * HOUR, target: mine, reason: 'two' }),
    make.record({
      ...{ number: 2, at: NOW - 96 * 24 * HOUR, reason: 'refused: URL', via: 'adopted' },
      target: { url: UNREADABLE, commitId: UNREADABLE, relativePath: UNREADABLE },
    }),
    make.record({ number: 1, at: NOW - 97 * 24 * HOUR }),
  );
  await shows('history', historyLines(rows, 12, SCREEN, { quarantined: [entry(OLD)] }));
  const last = (most: number) => historyLines(rows, 12, SCREEN, { most }).at(-1);
  expect(last(10), 'the one after the last that is shown counts').toContain('(now at mine, now from');
  await shows('history-empty', historyLines([], null, SCREEN));
});

it('history with what people did between the deployments', async () => {
  const rows = [
    make.record({ number: 3, at: NOW - HOUR, target: { url: make.URL, commitId: NEW, relativePath: 'shop' } }),
    make.record({ number: 2, at: NOW - 3 * HOUR, outcome: make.outcome('proven', 3, 3) }),
    make.record({ number: 1, at: NOW - 9 * HOUR, outcome: make.outcome('failed', 1, 3) }),
  ];
  const act = (number: number, kind: AuditKind, hours: number, what: string, reason = 'why') =>
    auditRecord().parse({ ...{ number, kind, what, reason }, by: 'ann', at: NOW - hours * HOUR });
  const acts = [
    act(6, 'unhold', 0.5, 'held by ann: inventory', ''),
    act(5, 'hold', 2, 'until 2026-11-21 05:40 UTC', 'inventory'),
    act(4, 'forget', 4, 'web-9\u001b[31m', ''),
    act(3, 'quarantine', 5, OLD, 'empties the cart'),
    act(2, 'policy-set', 10, '{"canary":1}', ''),
    act(1, 'policy-unset', 11, '', ''),
  ];
  await shows('history-acts', historyLines(rows, 3, SCREEN, { most: 3, acts }));
  expect(
    historyLines(rows, 3, SCREEN, { most: 2, acts }).length,
    'acts before the oldest that is shown are left out',
  ).toBe(4);
  await shows('history-acts-only', historyLines([], null, SCREEN, { most: 20, acts: acts.slice(4) }));
});

it('history --verify', async () => {
  const chain = { first: 1, last: 3, head: 'ab'.repeat(32), open: false };
  const whole = [
    { ...chain, prefix: 'd' as const, findings: [] },
    { ...chain, prefix: 'a' as const, first: null, last: null, head: null, findings: [] },
  ];
  await shows('verify-whole', verifyLines(whole));
  const findings = Array.from({ length: 22 }, (_, at) => ({ number: at + 1, what: `d-${at + 1} is missing` }));
  await shows('verify-broken', verifyLines([{ ...chain, open: true, prefix: 'd', findings }]));
});

it('colours mean the same everywhere, and take no cell', () => {
  const painted = { ...SCREEN, paint: (tone: string, text: string) => `<${tone}>${text}</>` };
  const bare = (lines: string[]) => lines.map((line) => line.replace(/<\/?\w*>/g, ''));
  const coloured = statusLines(make.picture(MIXED), painted);
  expect(bare(coloured)).toEqual(statusLines(make.picture(MIXED), SCREEN));
  expect(coloured.join('\n')).toMatch(/<good>active<\/>[\s\S]*<bad>failed<\/>/);
});
