import { ANSWER_MS, createFreshness, REDRAW_MS } from '../../publisher/freshness.ts';
import { statusChanges, statusOutputOf } from '../../publisher/screens/status-output.ts';
import { type StatusPicture, statusLines } from '../../publisher/screens/status-screen.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { jsonLine } from '../../runtime/safe-text.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { openLiveScreen } from '../shell/screen.ts';
import { isLive, say, screenNow, stdout } from '../shell/terminal.ts';
import type { FleetTime } from './fleet-time.ts';

/**
 * Shows the fleet until Ctrl-C: on a terminal redrawn in place, elsewhere a line per change, or one JSON value. While
 * ZooKeeper does not answer, the last picture stays, marked as stale. It polls: agents keep a constant number of
 * watches, and so do we.
 * @param picture the first look.
 */
export async function watchStatus(
  look: () => Promise<StatusPicture>,
  picture: StatusPicture,
  json: boolean,
  { now }: FleetTime,
): Promise<number> {
  const stop = new AbortController();
  const end = () => stop.abort();
  let seen = picture;
  const freshness = createFreshness({ now, monotonic: () => clock.monotonic() });
  const show = json ? jsonLines(now) : isLive() ? liveTable(now) : plainLines(now);
  process.once('SIGINT', end);
  try {
    let looking: Promise<void> | null = null;
    while (!stop.signal.aborted) {
      looking ??= look()
        .then(
          (found) => {
            seen = found;
            freshness.seen();
          },
          (error: unknown) => freshness.failed(error),
        )
        .finally(() => {
          looking = null;
        });
      await Promise.race([looking, clock.sleep(ANSWER_MS, stop.signal).catch(() => {})]);
      show.next({ ...seen, stale: freshness.stale() });
      await clock.sleep(REDRAW_MS, stop.signal).catch(() => {});
    }
  } finally {
    process.removeListener('SIGINT', end);
    show.close();
  }
  return EXIT.detached;
}

interface Show {
  next(picture: StatusPicture): void;
  close(): void;
}

function liveTable(now: () => number): Show {
  const screen = openLiveScreen(stdout());
  return {
    next: (picture) => screen.draw(statusLines(picture, screenNow(now(), screen), screen.rows)),
    close: () => screen.close(),
  };
}

function plainLines(now: () => number): Show {
  let before: StatusPicture | null = null;
  return {
    next(picture) {
      const screen = screenNow(now());
      const lines = before === null ? statusLines(picture, screen) : statusChanges(before, picture, screen);
      const time = before === null ? '' : `${new Date(screen.now).toISOString().slice(11, 19)} `;
      say(...lines.map((line) => time + line));
      before = picture;
    },
    close() {},
  };
}

function jsonLines(now: () => number): Show {
  let before = '';
  return {
    next(picture) {
      const value = jsonLine(statusOutputOf(picture, now()));
      if (value !== before) say(value);
      before = value;
    },
    close() {},
  };
}
