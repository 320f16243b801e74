/** What `make` gives, made at the first call and kept: for what takes long to make and not every program needs. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
