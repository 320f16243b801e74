import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { withPlainUmask } from '../../git/run/process.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Code } from '../../runtime/codes.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { type Enclosure, howItEnded, type RunResult, run } from '../../runtime/process.ts';
import { clean } from '../../runtime/safe-text.ts';
import type { StepCommand, StepName } from '../../schemas/steps.ts';
import { forgetStep, noteStep } from '../state/running-command.ts';
import { newControlGroup } from './control-group.ts';
import { excerptOf } from './excerpt.ts';
import { StepFailure } from './failure.ts';
import { type RestartUnits, restartUnits } from './restart.ts';

/** The facts that a step gets as GITFLEET_* variables. Paths are absolute; null becomes an empty variable. */
export interface StepFacts {
  /** The commit of `release`, where the step runs. */
  readonly commitId: string;
  /** The commit that the link shows before the swap and showed before it; on the way back, the other one of the two. */
  readonly previousCommitId: string | null;
  readonly release: string;
  readonly link: string;
  readonly deployment: number | null;
  readonly targetVersion: string;
  /** For on-failure, and for on-rollback and activate on the way back. */
  readonly failed?: { readonly step: string; readonly commitId: string; readonly code: string };
}

/** Performs the operator's steps. At least once: after a crash between a step and the note of its end it runs again. */
export interface StepRunner {
  /**
   * Runs the step if there is a command for it. After `activate`, the units of the settings are restarted.
   * @throws StepFailure if it does not exit with 0 in time; the signal's reason if that fired.
   */
  run(name: StepName, command: StepCommand | undefined, facts: StepFacts, signal: AbortSignal): Promise<void>;
  /** A health check by a command: its output is not kept. */
  check(command: readonly string[], timeoutMs: number, facts: StepFacts, signal: AbortSignal): Promise<RunResult>;
}

interface StepRunnerParts {
  readonly app: string;
  /** PATH for steps. */
  readonly path: string;
  /** Where tools keep their caches and settings: the home directory of the agent's user. */
  readonly home: string;
  /** Further variables that they get from the agent's own environment. */
  readonly passed: () => Readonly<Record<string, string>>;
  /** The app's own directory in the state: notes the running step, and keeps the last output of each step below it. */
  readonly state: string;
  readonly units: () => RestartUnits | null;
  readonly clock: Clock;
  readonly log: Logger;
  /** Only tests set this. */
  readonly controlGroup?: typeof newControlGroup;
}

/** The time between SIGTERM and SIGKILL: well below what a stop of the agent may take (TimeoutStopSec of the unit). */
const GENTLE_MS = 5_000;
const MAX_OUTPUT_BYTES = 64 * 1024;

/**
 * Runs each step in the release, without a shell, in an environment built from nothing. At the deadline its whole
 * process group is killed or, if systemd delegated a control group, everything that it started. What it leaves running
 * as a daemon after its own end is its own matter.
 */
export function createStepRunner(parts: StepRunnerParts): StepRunner {
  const { clock, path } = parts;

  async function start(
    argv: readonly string[],
    timeoutMs: number,
    name: string,
    facts: StepFacts,
    signal: AbortSignal,
    enclosure: Enclosure | null = null,
  ) {
    const output = outputTail();
    const started = () =>
      run(argv, {
        cwd: facts.release,
        env: {
          HOME: parts.home,
          ...parts.passed(),
          PATH: path,
          LANG: 'C.UTF-8',
          ...variablesOf(name, parts.app, facts),
        },
        clock,
        timeoutMs,
        gentleMs: GENTLE_MS,
        signal,
        maxBytes: 4_096,
        keep: 'tail',
        enclosure,
        onStarted: (pid) => name !== 'health' && noteStep(parts.state, pid),
        onOutput: (_, chunk) => output.add(chunk),
      });
    // The application's user must be able to read what a step creates, such as node_modules.
    const result = await withPlainUmask(started);
    return { result, output: output.text() };
  }

  async function perform(name: StepName, { command, timeout }: StepCommand, facts: StepFacts, signal: AbortSignal) {
    const enclosure = (parts.controlGroup ?? newControlGroup)();
    const { result, output } = await start(command, timeout, name, facts, signal, enclosure);
    const reached = enclosure ? 'all that it started' : 'its process group';
    const how = howItEnded(result, timeout) + (result.ended === 'timeout' ? `, with ${reached}` : '');
    forgetStep(parts.state);
    await keepOutput(parts, name, `${command.join(' ')} (${facts.commitId}) ${how}\n${output}`);
    if (result.ended === 'exit' && result.exitCode === 0) return;
    if (result.ended === 'abort') throw signal.reason;
    const quoted = excerptOf(output);
    const words = quoted === '' ? '' : `: ${clean(quoted)}`;
    const failure = {
      code: FAILED[name],
      reason: `${command[0]} ${how}${words}`,
      hint: `the output is in ${join(outputsIn(parts.state), `${name}.log`)}; correct the ${name} step and publish again`,
    };
    throw new StepFailure(failure, name, output, result.cause);
  }

  async function restart(units: RestartUnits, signal: AbortSignal): Promise<void> {
    try {
      await restartUnits(units, path, clock, signal);
    } catch (error) {
      const failure = classify(error);
      if (signal.aborted || failure.next !== 'stall') throw error;
      throw new StepFailure(failure.toFailure(), 'activate', '', failure);
    }
  }

  return {
    async run(name, command, facts, signal) {
      if (command) await perform(name, command, facts, signal);
      const units = name === 'activate' ? parts.units() : null;
      if (units) await restart(units, signal);
    },
    async check(command, timeoutMs, facts, signal) {
      const { result, output } = await start(command, timeoutMs, 'health', facts, signal);
      return { ...result, stdout: Buffer.from(output) };
    },
  };
}

const FAILED = {
  prepare: 'PREPARE_FAILED',
  'pre-activate': 'PRE_ACTIVATE_FAILED',
  activate: 'ACTIVATE_FAILED',
  'on-rollback': 'ON_ROLLBACK_FAILED',
  'on-failure': 'ON_FAILURE_FAILED',
} as const satisfies Record<StepName, Code>;

function variablesOf(step: string, app: string, facts: StepFacts): Record<string, string> {
  const { failed } = facts;
  return {
    GITFLEET_STEP: step,
    GITFLEET_APP: app,
    GITFLEET_COMMIT: facts.commitId,
    GITFLEET_PREVIOUS_COMMIT: facts.previousCommitId ?? '',
    GITFLEET_RELEASE: facts.release,
    GITFLEET_LINK: facts.link,
    GITFLEET_DEPLOYMENT: facts.deployment === null ? '' : `d-${facts.deployment}`,
    GITFLEET_TARGET_VERSION: facts.targetVersion,
    ...(failed && {
      GITFLEET_FAILED_STEP: failed.step,
      GITFLEET_FAILED_COMMIT: failed.commitId,
      GITFLEET_FAILED_CODE: failed.code,
    }),
  };
}

/** Both streams in order of arrival, the newest 64 KiB of them. */
function outputTail() {
  let kept = Buffer.alloc(0);
  return {
    add(chunk: Buffer) {
      const whole = Buffer.concat([kept, chunk]);
      kept = whole.subarray(Math.max(0, whole.length - MAX_OUTPUT_BYTES));
    },
    text: () => clean(stripVTControlCharacters(kept.toString('utf8')).replaceAll('\r\n', '\n'), MAX_OUTPUT_BYTES),
  };
}

const outputsIn = (state: string): string => join(state, 'output');

/** Only a help for people: a full disk must not make a good step fail. */
async function keepOutput({ state, log }: StepRunnerParts, name: string, text: string): Promise<void> {
  try {
    const outputs = outputsIn(state);
    await mkdir(outputs, { recursive: true, mode: 0o700 });
    await writeFile(join(outputs, `${name}.log`), text, { mode: 0o600 });
  } catch (error) {
    log.warn({ err: classify(error), step: name }, 'the output of a step could not be kept');
  }
}
