import { parseQuarantine } from '../../schemas/hold.ts';
import { parseReport } from '../../schemas/report.ts';
import { parseRollout } from '../../schemas/rollout.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import type { FakeServer } from '../support/zookeeper/fake/server.ts';

interface TranscribeParts {
  readonly zookeeper: FakeServer;
  readonly paths: Znodes;
  readonly tell: (words: string) => void;
}

/**
 * Tells what a fleet does from now on, as a person would see it: what config and the quarantine hold, each step of the
 * rollout and who leads it, and where each server stands. Each is told once, when it is new.
 */
export function transcribe({ zookeeper, paths, tell }: TranscribeParts): void {
  const told = new Map<string, string>();
  let silent = true;
  const news = (about: string, words: string | null) => {
    if (told.get(about) === (words ?? '')) return;
    told.set(about, words ?? '');
    if (words && !silent) tell(`  ${about}: ${words}`);
  };

  function look(): void {
    const data = (path: string) => zookeeper.peek(path)?.data ?? Buffer.alloc(0);
    const target = data(paths.config);
    news('config', target.length === 0 ? null : (JSON.parse(target.toString('utf8')) as { commitId: string }).commitId);
    const quarantined = parseQuarantine(data(paths.quarantine)).value.map(({ commitId }) => commitId);
    news('quarantine', quarantined.join(', ') || null);
    const rollout = parseRollout(data(paths.rollout));
    if (rollout) {
      news('leader', rollout.leader?.agentId ?? null);
      const wave = rollout.permits ? `, wave ${rollout.wave} of ${rollout.members.join(' ') || 'nobody'}` : '';
      news(
        `rollout ${rollout.deployment}`,
        `${rollout.state}${wave}${rollout.reason === '' ? '' : `: ${rollout.reason}`}`,
      );
    }
    for (const id of zookeeper.namesBelow(paths.agents).toSorted()) {
      const report = parseReport(data(paths.report(id)));
      if (!report || !ENDS.includes(report.phase)) continue;
      const error = report.error ? `, ${report.error.code} ${report.error.reason}` : '';
      const serves = report.activeCommit === null ? 'nothing' : report.activeCommit;
      news(id, `${report.phase}, serves ${serves}${error}`);
    }
  }

  look();
  silent = false;
  zookeeper.onWrite(look);
}

/** The other phases come and go within seconds. */
const ENDS: readonly string[] = ['awaiting', 'active', 'failed', 'suspended'];
