import { expect, it } from 'vitest';
import type { AgentView } from '../../fleet/fleet-view.ts';
import { refuseCutover } from '../../fleet/policy.ts';
import { policy } from '../../schemas/policy.ts';
import type { CutoverStanding } from '../../schemas/records/cutover.ts';
import { presence } from '../../schemas/report.ts';

const together = policy().parse({ cutover: 'together' });

function agent(agentId: string, cutover?: CutoverStanding | null): AgentView {
  const said = { agentId, instanceId: 'i', machineId: 'm', pid: 1, host: 'h', startedAt: 0, cutover };
  const card = cutover === undefined ? null : presence().parse(said);
  return { agentId, presence: card, report: null, reportedAt: null, onlineSince: null };
}

it('a cutover is refused for agents with services or restarts, and for those that do not know it', () => {
  const fleet = [agent('a', 'able'), agent('b', 'services'), agent('c', 'restarts'), agent('d', null), agent('e')];
  const refused = () => refuseCutover(together, fleet);
  expect(refused).toThrow(expect.objectContaining({ code: 'CUTOVER' }));
  expect(refused).toThrow(/b: it has services.*; c: it restarts units.*; d: its version .* does not know/);
});

it('a presence of an older version says nothing of it, and so does not know it', () => {
  const { cutover } = presence().parse({
    agentId: 'a',
    instanceId: 'i',
    machineId: 'm',
    pid: 1,
    host: 'h',
    startedAt: 0,
  });
  expect(cutover).toBeNull();
});

it('any other policy asks nothing of the agents, and who is offline is not asked', () => {
  refuseCutover(policy().parse({ canary: 1 }), [agent('b', 'services')]);
  refuseCutover(together, [agent('a', 'able'), agent('e')]);
  refuseCutover(together, []);
});
