/** Calls `make` at the first use and keeps the value: for values that are expensive to make and not always needed. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** The value of `make` for the current input; made again only if the input is another object. */
export function lastOf<In extends object, T>(make: (input: In) => T, input: () => In): () => T {
  let last: { readonly of: In; readonly value: T } | null = null;
  return () => {
    const now = input();
    if (last?.of !== now) last = { of: now, value: make(now) };
    return last.value;
  };
}
