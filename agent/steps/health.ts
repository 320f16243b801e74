import type { Clock } from '../../runtime/clock.ts';
import type { HealthRule } from '../../schemas/steps.ts';
import { StepFailure } from './failure.ts';
import { addSample, judgeHealth, noSample } from './health-judge.ts';
import type { Probe } from './probe.ts';
import type { StepFacts } from './runner.ts';

/**
 * Probes repeatedly until the release is healthy.
 * @throws StepFailure HEALTH_FAILED; the signal's reason if that fired.
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
    const wrong = await sample(rule, facts, probe, signal);
    signal.throwIfAborted();
    const now = clock.monotonic();
    tally = addSample(tally, { at: now, wrong });
    const health = judgeHealth(rule, tally, now);
    if (health.kind === 'healthy') return;
    if (health.kind === 'unhealthy') throw unhealthy(health.why);
    const leftMs = tally.startedAt + rule.deadline - now;
    await clock.sleep(Math.max(0, Math.min(rule.interval, leftMs)), signal);
  }
}

/**
 * One look with all checks in parallel: what is wrong, or null if all is well. Never throws; once aborted, the result
 * means nothing.
 */
export async function sample(
  { checks }: HealthRule,
  facts: StepFacts,
  probe: Probe,
  signal: AbortSignal,
): Promise<string | null> {
  const found = await Promise.all(checks.map((check) => probe(check, facts, signal)));
  const wrong = found.filter((words) => words !== null);
  return wrong.length === 0 ? null : wrong.join('; ');
}

export function unhealthy(why: string): StepFailure {
  const hint = 'see the log of the service, correct it and publish again';
  return new StepFailure({ code: 'HEALTH_FAILED', reason: why, hint }, 'health');
}
