import type { AgentListener } from '../../agent/events.ts';
import type { Rotation } from '../../agent/services/rotation.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Seeded } from '../support/seeded.ts';

/** What an agent does only while the services of its server are out of their lists. */
const OUTSIDE: readonly string[] = ['swap', 'activate', 'health'];

interface ServicesParts {
  readonly clock: Clock;
  readonly draw: Seeded;
  /** No time passes and the floor allows everything. */
  readonly steady: boolean;
  /** The agent stays out, whatever comes: a defect that the checker has to find. */
  readonly stuck: boolean;
  readonly violate: (words: string) => void;
}

/**
 * The services of a simulated server, which take their time to drain, and have a floor now and then. They tell when the
 * server is left out although nothing is being activated or checked, or activates while it is in.
 */
export function simulatedServices({ clock, draw, steady, stuck, violate }: ServicesParts) {
  let out = false;
  const takesTime = async (signal: AbortSignal) => {
    if (!steady) await clock.sleep(draw.next() * 3_000, signal);
    signal.throwIfAborted();
  };
  const rotation: Rotation = {
    async leave(signal) {
      await takesTime(signal);
      if (!out && !steady && draw.often(0.15)) return 'the floor of shop/web';
      out = true;
      return null;
    },
    drained: (_, signal) => takesTime(signal),
    async leaveToReturn(_, signal) {
      out = true;
      await takesTime(signal);
    },
    missed: () => [],
    rejoin() {
      if (!stuck) out = false;
    },
  };
  const listener: AgentListener = {
    rest({ because }) {
      if (out) violate(`is out of its services, and rests: ${because.kind}`);
    },
    working({ action }) {
      if (out && !OUTSIDE.includes(action)) violate(`is out of its services, and does ${action}`);
      if (!out && OUTSIDE.includes(action)) violate(`is in its services, and does ${action}`);
    },
  };
  return { rotation, listener };
}
