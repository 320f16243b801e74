import type { ServerResponse } from 'node:http';
import type { Clock } from '../../runtime/clock.ts';
import type { Alive, Head, Snapshot } from '../api/shapes.ts';
import { columnsOf } from '../picture/columns.ts';
import type { Picture, StateChange } from '../picture/picture.ts';
import type { State } from '../picture/state.ts';
import { type Frame, frameOf, GZIP_HEAD } from './frames.ts';
import { createResume } from './resume.ts';

/** Who asks for the stream. */
export interface Follower {
  readonly response: ServerResponse;
  /** Whose connections are counted together; null: a proxy's, which has its own bounds. */
  readonly address: string | null;
  readonly lastEventId: string | undefined;
  readonly gzip: boolean;
  /** Whether what it presented still counts; asked each second. */
  readonly mayStay: () => boolean;
}

export interface Stream {
  /** False: there are too many already. */
  add(follower: Follower): boolean;
  count(): number;
  /** Ends every stream. */
  close(): void;
}

export interface StreamBounds {
  readonly all: number;
  readonly perAddress: number;
}
export const BOUNDS: StreamBounds = { all: 200, perAddress: 100 };
/** A client that takes nothing for so long, or is so far behind the snapshot, is ended. It gets a new one later. */
const STUCK_MS = 15_000;
const MAX_BEHIND = 1024 * 1024;

interface Client extends Follower {
  synced: boolean;
  fullSince: number | null;
}

interface StreamParts {
  readonly picture: Picture;
  readonly head: Head;
  readonly processId: string;
  readonly clock: Clock;
  readonly bounds?: StreamBounds;
}

/**
 * The stream of events: `snapshot`, `synced`, then `delta`, and `alive` each second. Guarantees: every event is made and
 * compressed once for all clients; a client that does not read is ended, and delays no other; there are never more than
 * `bounds.all` clients, nor more than `bounds.perAddress` of one address.
 */
export function createStream({ picture, head, processId, clock, bounds = BOUNDS }: StreamParts): Stream {
  const clients = new Set<Client>();
  const resume = createResume(processId);
  let whole: { readonly sequence: number; readonly frame: Frame } | null = null;

  const stopListening = picture.listen({
    changed(change) {
      const frame = deltaFrame(change);
      if (frame) resume.add(change.sequence, frame);
      for (const client of clients) {
        if (!client.synced) begin(client, change);
        else if (frame) send(client, frame);
      }
    },
    alive(alive) {
      const frame = frameOf('alive', alive);
      const now = clock.monotonic();
      for (const client of clients) {
        const isStuck = client.fullSince !== null && now - client.fullSince > STUCK_MS;
        if (isStuck || !client.mayStay()) end(client);
        else send(client, frame);
      }
    },
  });

  function deltaFrame({ sequence, difference }: StateChange): Frame | null {
    return difference && frameOf('delta', { ...picture.freshness(), ...difference }, resume.idOf(sequence));
  }

  /** A client that comes before the first state gets `alive` events until there is one. */
  function begin(client: Client, change: StateChange): void {
    const missed = resume.after(client.lastEventId, change.sequence);
    for (const frame of missed ?? [snapshotFrame(change)]) send(client, frame);
    send(client, frameOf('synced', picture.freshness()));
    client.synced = true;
  }

  function snapshotFrame({ sequence, state }: StateChange): Frame {
    if (whole?.sequence !== sequence) {
      const snapshot = snapshotOf(state, head, picture.freshness());
      whole = { sequence, frame: frameOf('snapshot', snapshot, resume.idOf(sequence)) };
    }
    return whole.frame;
  }

  function send(client: Client, frame: Frame): void {
    const { response } = client;
    if (!clients.has(client)) return;
    if (response.writableLength > MAX_BEHIND + (whole?.frame.plain.length ?? 0)) end(client);
    else if (!response.write(client.gzip ? frame.packed() : frame.plain)) client.fullSince ??= clock.monotonic();
  }

  function end(client: Client): void {
    clients.delete(client);
    client.response.destroy();
  }

  return {
    add(follower) {
      const { address, response, gzip } = follower;
      const ofAddress = [...clients].filter((each) => address !== null && each.address === address).length;
      if (clients.size >= bounds.all || ofAddress >= bounds.perAddress) return false;
      const client: Client = { ...follower, synced: false, fullSince: null };
      clients.add(client);
      response.on('drain', () => {
        client.fullSince = null;
      });
      response.on('close', () => void clients.delete(client));
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'x-accel-buffering': 'no',
        ...(gzip ? { 'content-encoding': 'gzip' } : {}),
      });
      if (gzip) response.write(GZIP_HEAD);
      const change = picture.current();
      if (change) begin(client, change);
      else send(client, frameOf('alive', picture.freshness()));
      return true;
    },
    count: () => clients.size,
    close() {
      stopListening();
      for (const client of [...clients]) end(client);
    },
  };
}

export function snapshotOf(state: State, head: Head, freshness: Alive): Snapshot {
  const { agents, history, acts, ...members } = state;
  return {
    ...head,
    ...freshness,
    ...members,
    agents: columnsOf([...agents.values()]),
    history: [...history],
    acts: [...acts],
  };
}
