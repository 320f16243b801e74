/** Signals that arrive while a program is being loaded are kept for it, instead of ending the process halfway. */
const held: NodeJS.Signals[] = [];
let handle: (signal: NodeJS.Signals) => void = (signal) => void held.push(signal);
let holding = false;

/** From here on SIGTERM, SIGINT and SIGHUP wait for `onSignals`. Idempotent. */
export function holdSignals(): void {
  if (holding) return;
  holding = true;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => handle(signal));
}

/** Takes the held signals, and all that follow. */
export function onSignals(take: (signal: NodeJS.Signals) => void): void {
  holdSignals();
  handle = take;
  for (const signal of held.splice(0)) take(signal);
}

/** Resolves at the first Ctrl-C, SIGTERM or SIGHUP; a second one ends the process at once. */
export function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    const stop = (signal: NodeJS.Signals) => {
      if (asked) process.exit(130);
      asked = true;
      resolve(signal);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  });
}
