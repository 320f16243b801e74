import { describe, expect, it } from 'vitest';
import { agentLines } from '../../../publisher/screens/agent-screen.ts';
import { statusOutputOf } from '../../../publisher/screens/status-output.ts';
import { statusLines } from '../../../publisher/screens/status-screen.ts';
import { agent, NOW, picture, SCREEN } from '../fixtures.ts';

const drain = (...consumers: string[]) => ({ service: 'shop/web', count: consumers.length, consumers });
const unwell = 'lb-1: backend shop on lb';

describe('a consumer that did not acknowledge a drain is named', () => {
  const fleet = [
    agent('web-1', { unacknowledged: [drain(unwell)] }),
    agent('web-2', { unacknowledged: [drain(unwell)] }),
    agent('web-3', { unacknowledged: [drain(unwell)], targetVersion: '1e.1795229000000' }),
    agent('web-4'),
  ];

  it('in status, with the agents that report it about this target', () => {
    const lines = statusLines(picture(fleet), { ...SCREEN, columns: 200 });
    expect(lines).toContain(`  shop/web: not acknowledged by ${unwell} (drain of web-1, web-2)`);
    expect(lines.filter((line) => line.includes('not acknowledged'))).toHaveLength(1);
  });

  it('in status --json', () => {
    const { agents } = statusOutputOf(picture(fleet), NOW);
    expect(agents[0]?.report?.unacknowledged).toEqual([drain(unwell)]);
  });

  it('in status AGENT, with the number of those that the report does not name', () => {
    const view = agent('web-1', { unacknowledged: [{ ...drain(unwell), count: 4 }] });
    expect(agentLines(view, null, SCREEN)).toContain(`  drain      shop/web: not acknowledged by ${unwell} and 3 more`);
  });

  it('in at most five lines of status', () => {
    const many = Array.from({ length: 8 }, (_, at) => agent(`web-${at}`, { unacknowledged: [drain(`lb-${at}`)] }));
    const lines = statusLines(picture(many), SCREEN).filter((line) => /not acknowledged|other drain/.test(line));
    expect(lines).toHaveLength(6);
    expect(lines.at(-1)).toBe('  and 3 other drains');
  });
});
