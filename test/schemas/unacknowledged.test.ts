import { describe, expect, it } from 'vitest';
import { unacknowledgedDrains } from '../../schemas/records/unacknowledged.ts';

const consumers = (count: number) => Array.from({ length: count }, (_, at) => ({ id: `lb-${at}`, what: 'a proxy' }));

describe('drains in a report', () => {
  it('name each consumer and what it says of itself', () => {
    const unacknowledged = [
      { id: 'lb-1', what: 'backend shop on lb' },
      { id: 'lb-2', what: '' },
    ];
    expect(unacknowledgedDrains([{ service: 'shop/web', unacknowledged }])).toEqual([
      { service: 'shop/web', count: 2, consumers: ['lb-1: backend shop on lb', 'lb-2'] },
    ]);
  });

  it('leave out those that every consumer acknowledged', () => {
    expect(unacknowledgedDrains([{ service: 'shop/web', unacknowledged: [] }])).toEqual([]);
  });

  it('name at most 20 consumers of all services together, and count all', () => {
    const named = unacknowledgedDrains(
      ['a/a', 'a/b', 'a/c'].map((service) => ({ service, unacknowledged: consumers(5_000) })),
    );
    expect(named.map(({ count }) => count)).toEqual([5_000, 5_000, 5_000]);
    expect(named.flatMap((drain) => drain.consumers)).toHaveLength(18);
    const many = Array.from({ length: 50 }, (_, at) => ({ service: `a/s${at}`, unacknowledged: consumers(1) }));
    expect(unacknowledgedDrains(many)).toHaveLength(20);
  });

  it('have no control character and no long text of another program', () => {
    const hostile = [{ id: 'lb\u001b[31m', what: 'x'.repeat(300) }];
    const [drain] = unacknowledgedDrains([{ service: 'shop/web', unacknowledged: hostile }]);
    expect(drain?.consumers[0]).not.toMatch(/\p{Cc}/u);
    expect(drain?.consumers[0]?.length).toBeLessThan(200);
  });
});
