/** What `make` gives, made at the first call and kept: for what takes long to make and not every program needs. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** What `make` gives of the present input, made again only where that is another one. */
export function lastOf<In extends object, T>(make: (input: In) => T, input: () => In): () => T {
  let last: { readonly of: In; readonly value: T } | null = null;
  return () => {
    const now = input();
    if (last?.of !== now) last = { of: now, value: make(now) };
    return last.value;
  };
}
