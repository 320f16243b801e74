import type { Clock } from '../runtime/clock.ts';
import type { HealthRule } from '../schemas/steps.ts';
import { addSample, judgeHealth, noSample } from './health-judge.ts';
import type { Probe } from './probe.ts';
import { StepFailure } from './step-failure.ts';
import type { StepFacts } from './step-runner.ts';

/**
 * Looks again and again until the release is healthy; all checks of one look run side by side.
 * @throws StepFailure HEALTH_FAILED; the signal's reason when that fired.
 */
export async function awaitHealth(
  rule: HealthRule,
  facts: StepFacts,
  probe: Probe,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let tally = noSample(clock.monotonic());
  for (;;) {
    const found = await Promise.all(rule.checks.map((check) => probe(check, facts, signal)));
    signal.throwIfAborted();
    const wrong = found.filter((words) => words !== null);
    const now = clock.monotonic();
    tally = addSample(tally, { at: now, wrong: wrong.length === 0 ? null : wrong.join('; ') });
    const health = judgeHealth(rule, tally, now);
    if (health.kind === 'healthy') return;
    if (health.kind === 'unhealthy') throw unhealthy(health.why);
    const leftMs = tally.startedAt + rule.deadline - now;
    await clock.sleep(Math.max(0, Math.min(rule.interval, leftMs)), signal);
  }
}

function unhealthy(why: string): StepFailure {
  const hint = 'see the log of the service; mend it and publish again';
  return new StepFailure({ code: 'HEALTH_FAILED', reason: why, hint }, 'health');
}
