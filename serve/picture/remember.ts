/**
 * The same function, which remembers its result for each object that it was given. For values that never change: between
 * two folds most agents and records are the same objects, and so are then their rows.
 */
export function rememberFor<Key extends object, Rest extends readonly unknown[], T>(
  make: (key: Key, ...rest: Rest) => T,
): (key: Key, ...rest: Rest) => T {
  const made = new WeakMap<Key, { readonly rest: Rest; readonly value: T }>();
  return (key, ...rest) => {
    const before = made.get(key);
    if (before?.rest.every((each, at) => each === rest[at])) return before.value;
    const value = make(key, ...rest);
    made.set(key, { rest, value });
    return value;
  };
}
