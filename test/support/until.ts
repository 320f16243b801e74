/**
 * Looks repeatedly until `look` returns something, and fails with what it saw last when the bound is over. The bound is
 * wide: it means "hangs", never "slow".
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false>,
  boundMs = 30_000,
): Promise<T> {
  const end = performance.now() + boundMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const found = await look();
      if (found) return found;
      last = found;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(
    `${what}: not within ${boundMs} ms; last: ${last instanceof Error ? last.stack : JSON.stringify(last)}`,
  );
}
