import type { FleetError } from '../runtime/errors.ts';
import { classify } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { Action, Rest } from './plan.ts';
import type { DrainTold } from './services/rotation.ts';
import type { Journal, Reversal } from './state/journal.ts';
import type { Wanted, WantedTarget } from './state/wanted.ts';

/**
 * What the agent's loop tells those who listen: the log, the report, metrics, the liveness of the loop (agent/service/).
 * A deployment never depends on them: nothing waits for them, and what they throw is logged and goes no further.
 */
export interface AgentEvents {
  /** A target is begun that is another one than before. */
  begun: { readonly wanted: WantedTarget };
  /** An action begins. */
  working: { readonly wanted: WantedTarget; readonly action: Action; readonly journal: Journal };
  /** It went well. */
  done: { readonly wanted: WantedTarget; readonly action: Action; readonly ms: number };
  /** It failed, or a release that was healthy at first did. */
  failed: {
    readonly wanted: WantedTarget;
    readonly action: Action;
    readonly failure: FleetError;
    /** The last words of its step; empty: it had none. */
    readonly output: string;
    readonly attempts: number;
  };
  /** What follows a failed step or health check begins; it may take as long as its steps. */
  reverting: { readonly reversal: Reversal };
  /** There is nothing to do now. Told at each pass, also where nothing changed since the last. */
  rest: { readonly wanted: Wanted; readonly because: Rest; readonly journal: Journal };
  /** What the last inspection of the active release found; none: it is its commit. */
  drift: { readonly names: readonly string[] };
  /** Old releases, or parts of them, that could not be deleted and were set aside; told after each inspection. */
  undeletable: { readonly paths: readonly string[] };
  /** A service was left, and who uses it was waited for. */
  drained: DrainTold;
  /** Maintenance may take long, and begins and ends beside the events of a deployment. */
  maintenance: { readonly state: 'begins' | 'ends' };
}

export type AgentListener = { readonly [Name in keyof AgentEvents]?: (event: AgentEvents[Name]) => void };

/** Never throws. */
export type Emit = <Name extends keyof AgentEvents>(name: Name, event: AgentEvents[Name]) => void;

/** Listeners hear each event in this order. One that throws is named in the log once; the others hear the event. */
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
