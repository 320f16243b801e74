import { ANSWER_MS, createFreshness, REDRAW_MS } from '../../publisher/freshness.ts';
import { statusChanges, statusOutputOf } from '../../publisher/screens/status-output.ts';
import { type StatusPicture, statusLines } from '../../publisher/screens/status-screen.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { jsonLine } from '../../runtime/safe-text.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { openLiveScreen } from '../shell/screen.ts';
import { isLive, say, screenNow, stdout } from '../shell/terminal.ts';

/**
 * Shows the fleet until Ctrl-C: on a terminal redrawn in place, elsewhere a line per change, or one JSON value. While
 * ZooKeeper does not answer the last picture stays, marked as stale. Looks by polling: agents keep a constant number of
 * watches, and so do we.
 */
export async function watchStatus(look: () => Promise<StatusPicture>, json: boolean): Promise<number> {
  const stop = new AbortController();
  const end = () => stop.abort();
  let picture = await look();
  const freshness = createFreshness(clock);
  const show = json ? jsonLines() : isLive() ? liveTable() : plainLines();
  process.once('SIGINT', end);
  try {
    let looking: Promise<void> | null = null;
    while (!stop.signal.aborted) {
      looking ??= look()
        .then(
          (found) => {
            picture = found;
            freshness.seen();
          },
          (error: unknown) => freshness.failed(error),
        )
        .finally(() => {
          looking = null;
        });
      await Promise.race([looking, clock.sleep(ANSWER_MS, stop.signal).catch(() => {})]);
      show.next({ ...picture, stale: freshness.stale() });
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

function liveTable(): Show {
  const screen = openLiveScreen(stdout());
  return {
    next: (picture) => screen.draw(statusLines(picture, screenNow(clock.now(), screen), screen.rows)),
    close: () => screen.close(),
  };
}

function plainLines(): Show {
  let before: StatusPicture | null = null;
  return {
    next(picture) {
      const screen = screenNow(clock.now());
      const lines = before === null ? statusLines(picture, screen) : statusChanges(before, picture, screen);
      const time = before === null ? '' : `${new Date(screen.now).toISOString().slice(11, 19)} `;
      say(...lines.map((line) => time + line));
      before = picture;
    },
    close() {},
  };
}

function jsonLines(): Show {
  let before = '';
  return {
    next(picture) {
      const value = jsonLine(statusOutputOf(picture, clock.now()));
      if (value !== before) say(value);
      before = value;
    },
    close() {},
  };
}
