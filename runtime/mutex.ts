export type Mutex = <T>(work: () => Promise<T>) => Promise<T>;

/** Runs pieces of work one after another, in the order of the calls. A failure of one does not affect the next. */
export function createMutex(): Mutex {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => {});
    return mine;
  };
}
