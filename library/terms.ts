import type { Candidacy, Term } from '../zookeeper/recipes/candidacy.ts';

/**
 * A candidacy as a stream of its terms. Yields each term that has begun and not ended, and ends when the candidacy is
 * withdrawn. A slow reader misses terms that have ended.
 */
export function termsOf(candidacy: Candidacy): Candidacy & AsyncIterable<Term> {
  let left = false;
  const wakers = new Set<() => void>();
  const wake = () => {
    for (const each of [...wakers]) each();
  };
  candidacy.onChange(wake);

  async function* terms(): AsyncGenerator<Term, void, undefined> {
    let last: Term | undefined;
    while (!left) {
      const now = candidacy.term;
      if (now && now !== last) {
        last = now;
        yield now;
      } else {
        await new Promise<void>((resolve) => {
          const done = () => {
            wakers.delete(done);
            resolve();
          };
          wakers.add(done);
        });
      }
    }
  }

  return {
    get term() {
      return candidacy.term;
    },
    get standing() {
      return candidacy.standing;
    },
    onChange: candidacy.onChange,
    async leave() {
      left = true;
      wake();
      await candidacy.leave();
    },
    [Symbol.asyncIterator]: terms,
  };
}
