import type { FleetError } from '../runtime/errors.ts';
import { classify } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { Brought } from './coordination/bundles.ts';
import type { Action, Rest } from './plan.ts';
import type { DrainTold } from './services/rotation.ts';
import type { Journal, Reversal } from './state/journal.ts';
import type { Wanted, WantedTarget } from './state/wanted.ts';

/**
 * What the agent's loop tells its listeners: the log, the report, metrics, the liveness of the loop (agent/service/).
 * No deployment depends on them: nothing waits for them, and their errors are logged and go no further.
 */
export interface AgentEvents {
  /** A target begins that differs from the one before. */
  begun: { readonly wanted: WantedTarget };
  /** An action begins. */
  working: { readonly wanted: WantedTarget; readonly action: Action; readonly journal: Journal };
  /** It succeeded. */
  done: { readonly wanted: WantedTarget; readonly action: Action; readonly ms: number };
  /** A fetch ended: where the objects came from, and why not from the bundle that the target names. */
  brought: { readonly wanted: WantedTarget } & Brought;
  /** It failed; or a release failed that was healthy at first. */
  failed: {
    readonly wanted: WantedTarget;
    readonly action: Action;
    readonly failure: FleetError;
    /** The end of its step's output. Empty: it had no step. */
    readonly output: string;
    readonly attempts: number;
  };
  /** The revert of a failed step or health check begins. It may take as long as its steps. */
  reverting: { readonly reversal: Reversal };
  /** Nothing to do now. Emitted at each pass, even if nothing has changed since the last one. */
  rest: { readonly wanted: Wanted; readonly because: Rest; readonly journal: Journal };
  /** The result of the last inspection of the active release. Empty: it matches its commit. */
  drift: { readonly names: readonly string[] };
  /** Old releases, or parts of them, that could not be deleted and were set aside. Emitted after each inspection. */
  undeletable: { readonly paths: readonly string[] };
  /** This server left a service and waited for its consumers. */
  drained: DrainTold;
  /** Maintenance may take long. It begins and ends independently of the events of a deployment. */
  maintenance: { readonly state: 'begins' | 'ends' };
}

export type AgentListener = { readonly [Name in keyof AgentEvents]?: (event: AgentEvents[Name]) => void };

/** Never throws. */
export type Emit = <Name extends keyof AgentEvents>(name: Name, event: AgentEvents[Name]) => void;

/** Listeners get each event in this order. The first error of a listener is logged; the others still get the event. */
export function createEmit(listeners: Readonly<Record<string, AgentListener>>, log: Logger): Emit {
  const failing = new Set<string>();
  return (name, event) => {
    for (const [who, listener] of Object.entries(listeners)) {
      try {
        listener[name]?.(event);
      } catch (error) {
        if (failing.has(who)) continue;
        failing.add(who);
        log.error(
          { err: classify(error), listener: who, event: name },
          `${who} failed at an event; this is logged once`,
        );
      }
    }
  };
}
