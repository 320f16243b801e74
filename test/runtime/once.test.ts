import { describe, expect, it } from 'vitest';
import { lastOf, once } from '../../runtime/once.ts';

describe('what takes long to make', () => {
  it('is made at the first call, and once, also where it is nothing', () => {
    let made = 0;
    const nothing = once(() => {
      made += 1;
      return undefined;
    });
    expect(made).toBe(0);
    expect([nothing(), nothing()]).toEqual([undefined, undefined]);
    expect(made).toBe(1);
  });

  it('of something that changes is made anew where that is another one, and only there', () => {
    let input = { n: 1 };
    let made = 0;
    const doubled = lastOf(
      ({ n }: { n: number }) => {
        made += 1;
        return { twice: 2 * n };
      },
      () => input,
    );
    expect(doubled()).toBe(doubled());
    input = { n: 2 };
    expect(doubled()).toEqual({ twice: 4 });
    expect(made).toBe(2);
  });
});
