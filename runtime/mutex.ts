export type Mutex = <T>(work: () => Promise<T>) => Promise<T>;

/** Lets one piece of work run after the other, in the order of asking; a failure of one does not touch the next. */
export function createMutex(): Mutex {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => {});
    return mine;
  };
}
