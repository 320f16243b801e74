import type { Message } from './note.ts';
import type { ToldView } from './view.ts';

/** Where events are told: one entry of `serve.notify`, or a forge. */
export interface Sink {
  /** Names `told/<name>`: it stays while the settings name it. */
  readonly name: string;
  /** Whether it is told this event at all. */
  takes(message: Message): boolean;
  /**
   * Tells one message, within bounds of time and size; once more after a crash, with the same id.
   * @throws FleetError NOT_DELIVERED if another try may succeed, else DELIVERY_REFUSED, SETTINGS or another code.
   */
  send(message: Message, signal: AbortSignal): Promise<void>;
  /** What changes while a deployment lasts. Not noted, not repeated; a failure says nothing. */
  readonly progress?: ((view: ToldView, signal: AbortSignal) => Promise<void>) | undefined;
}
