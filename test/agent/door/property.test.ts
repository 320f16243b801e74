import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NOTHING_VIEWED, type RolloutView } from '../../../agent/coordination/clearance.ts';
import { decide } from '../../../agent/decide.ts';
import { parseBase } from '../../../agent/door/base.ts';
import { createDoor } from '../../../agent/door/door.ts';
import { baseInOrder, targetInOrder } from '../../../agent/order.ts';
import { accept, NOTHING_ACCEPTED } from '../../../agent/state/accepted.ts';
import { beginTarget, wellActive } from '../../../agent/state/activation.ts';
import { emptyJournal } from '../../../agent/state/journal.ts';
import type { TargetHeard } from '../../../agent/state/wanted.ts';
import { systemClock as clock } from '../../../runtime/clock.ts';
import type { SignedTarget } from '../../../schemas/signed/signed-target.ts';
import type { TargetVersion } from '../../../schemas/values.ts';
import { cleanEnvironment } from '../../support/commands.ts';
import { SEED, seeded } from '../../support/seeded.ts';
import { lineOf, signedConfig, TestSigners } from '../../support/signers.ts';

const NOW = Date.now();
const AUDIENCE = 'shop-production';
let signers: TestSigners;
let appState: string;
beforeAll(async () => {
  signers = await TestSigners.create();
  appState = await mkdtemp(join(tmpdir(), 'gitfleet-property-'));
});
afterAll(async () => {
  await signers.remove();
  await rm(appState, { recursive: true, force: true });
});

/** Members of config that were signed, or that somebody put together. */
interface Written {
  readonly url: string;
  readonly commitId: string;
  readonly relativePath: string;
  readonly gitfleet?: { readonly signed?: string; readonly signature?: string };
}

it(`an agent that requires signatures pursues only what was signed for it, in order, whatever is written (seed ${SEED})`, async () => {
  const { below, pick, often } = seeded(SEED);
  const [good, thief] = [await signers.key('good'), await signers.key('thief')];
  await signers.allow([lineOf('ann', good), `dev namespaces="git" ${thief.publicKey}`]);
  const said = (n: number, more: Partial<SignedTarget> = {}): SignedTarget => ({
    ...{ version: 1, audience: AUDIENCE, app: '/app', url: 'https://git.example.com/shop.git' },
    ...{ commitId: n.toString(16).repeat(40), relativePath: 'shop', ref: null, issuedAt: NOW - 1_000 + n, ...more },
  });
  const honest = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => signedConfig(said(n), good)));
  const others = await Promise.all([
    signedConfig(said(7), thief),
    signedConfig(said(8, { audience: 'shop-staging' }), good),
    signedConfig(said(9, { app: '/other' }), good),
  ]);
  const all: readonly Written[] = [...honest, ...others];
  /** Some value of the pool, or parts of several. */
  const anything = (): Written => {
    const [one, two] = [pick(all), pick(all)];
    if (often(0.5)) return one;
    const gitfleet = {
      ...(often(0.8) ? { signed: pick([one, two]).gitfleet?.signed ?? '' } : {}),
      ...(often(0.8) ? { signature: pick([one, two]).gitfleet?.signature ?? '' } : {}),
    };
    return { url: one.url, commitId: pick([one, two]).commitId, relativePath: pick(['shop', 'x']), gitfleet };
  };
  const rules = () => ({
    allowUrls: ['https://git.example.com/'],
    verify: { target: 'required' as const, audience: AUDIENCE, signersFile: signers.file },
  });
  const door = createDoor({ rules, app: '/app', appState, ssh: { clock, env: cleanEnvironment() } });
  const signedCommits = honest.map(({ commitId }) => commitId);
  let [pursued, kept] = [0, 0];
  for (let run = 0; run < 12; run += 1) {
    let [memory, journal] = [NOTHING_ACCEPTED, emptyJournal];
    for (let step = 0; step < 20; step += 1) {
      const targetVersion = `${(step + 1).toString(16)}.${step}` as TargetVersion;
      const judged = await door.judge(Buffer.from(JSON.stringify(anything())));
      const write = { mzxid: BigInt(step + 1), mtime: step };
      const wanted = judged.ok
        ? ({ kind: 'target', targetVersion, target: judged.target } as const)
        : ({ kind: 'refused', targetVersion, failure: judged.failure } as const);
      const from = anything();
      const base = await parseBase({ ...from, ...from.gitfleet, deployment: 1 }, door);
      const view: RolloutView = {
        ...NOTHING_VIEWED,
        ...{ known: true, permit: often(0.5) ? targetVersion : null, base: base.ok ? base.base : null },
        policy: pick(['none', 'in force'] as const),
      };
      const heard: TargetHeard = targetInOrder({ write, wanted }, memory, NOW);
      const pursuit = decide({
        ...{ heard, view: baseInOrder(view, memory, NOW), journal, blocked: null, override: null, suspension: null },
        joinedAt: BigInt(below(40)),
      });
      if (pursuit.wanted.kind !== 'target') {
        kept += 1;
        continue;
      }
      const { target } = pursuit.wanted;
      pursued += 1;
      expect(signedCommits).toContain(target.commitId);
      expect(target.relativePath).toBe('shop');
      const { envelope } = target;
      if (!envelope) throw new Error('a target without an envelope is pursued');
      const mayBe = [memory.newest?.digest, memory.good?.digest].includes(envelope.digest);
      expect(mayBe || envelope.issuedAt > (memory.newest?.issuedAt ?? 0)).toBe(true);
      memory = accept(memory, envelope, target);
      journal = wellActive(beginTarget(journal, target, targetVersion, write), target);
    }
  }
  // Both happen, or nothing was shown.
  expect(Math.min(pursued, kept)).toBeGreaterThan(20);
});
