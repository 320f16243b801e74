import type { DeploymentProgress } from '../../publisher/follow.ts';
import { followedSpread } from '../../publisher/screens/cutover-words.ts';
import {
  createProgressLines,
  endedFailures,
  progressFrame,
  verdictLines,
} from '../../publisher/screens/progress-lines.ts';
import type { Followed } from '../../publisher/screens/published-lines.ts';
import { offlineIn, stateAfter } from '../../publisher/verdict.ts';
import type { EndingOutput } from '../../schemas/json-output.ts';
import { openLiveScreen } from '../shell/screen.ts';
import { isLive, say, sayJson, screenNow, stdout } from '../shell/terminal.ts';

/** Shows a deployment's progress: a live table on a terminal, plain lines elsewhere, one JSON value for machines. */
interface ProgressShow {
  next(progress: DeploymentProgress): void;
  /** Idempotent; also if there was no ending. */
  close(): void;
}

/** @param now the time of the ensemble, for ages. */
export function showProgress(followed: Followed, json: boolean, now: () => number): ProgressShow {
  if (json) return jsonEnding(followed);
  return isLive() ? liveTable(followed, now) : plainLines(followed, now);
}

function liveTable(followed: Followed, now: () => number): ProgressShow {
  const screen = openLiveScreen(stdout());
  return {
    next(progress) {
      screen.draw(progressFrame(progress, followed, screenNow(now(), screen), screen.rows));
      if (!progress.ending) return;
      screen.close();
      const { paint } = screenNow(now());
      const [verdict = '', ...more] = verdictLines(progress, progress.ending, followed, now());
      const tone = progress.ending === 'converged' ? 'good' : 'bad';
      say(...endedFailures(progress, screenNow(now())), paint(tone, verdict), ...more);
    },
    close: () => screen.close(),
  };
}

function plainLines(followed: Followed, now: () => number): ProgressShow {
  const lines = createProgressLines(followed, now);
  return {
    next: (progress) => say(...lines.next(progress)),
    close() {},
  };
}

function jsonEnding({ targetVersion }: Followed): ProgressShow {
  return {
    next({ ending, verdict, elapsedMs, supersededBy, rollout }) {
      if (!ending) return;
      const { reached, expected } = verdict;
      const spread = followedSpread(verdict, targetVersion);
      const by = supersededBy ? { supersededBy: supersededBy.number } : {};
      const said: EndingOutput = {
        ending,
        state: stateAfter(ending, verdict.state),
        reached,
        expected,
        elapsedMs: Math.round(elapsedMs),
        offline: offlineIn(verdict).map(({ agentId }) => agentId),
        late: rollout?.late ?? [],
        excused: rollout?.excused ?? [],
        failed: (rollout?.failures ?? []).map(({ agentId, code }) => ({ agentId, code })),
        ...(spread ? { cutover: spread } : {}),
        ...by,
      };
      sayJson(said);
    },
    close() {},
  };
}
