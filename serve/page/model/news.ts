import type { AgentRow } from '../../api/shapes.ts';
import type { PagePicture } from './picture.ts';
import { stateOf } from './states.ts';
import { asText, countText, deploymentLabel, namesText, shortCommit } from './texts.ts';

/**
 * What changed between two pictures, in a few sentences for those who hear the page. At most `MAX_NEWS` of them, and
 * servers only as they fail, recover, or come and go: a rollout over a thousand servers must not be read out.
 */

export const MAX_NEWS = 4;

export function newsBetween(before: PagePicture, after: PagePicture): string[] {
  return [
    ...targetNews(before, after),
    ...rolloutNews(before, after),
    ...brakeNews(before, after),
    ...agentNews(before, after),
  ].slice(0, MAX_NEWS);
}

function targetNews(before: PagePicture, after: PagePicture): string[] {
  if (before.targetVersion === after.targetVersion) return [];
  const { target, deployment, refused } = after;
  if (target === null) return [refused === null ? 'there is no target any more' : 'a target is refused'];
  const name =
    deployment === null
      ? 'another ZooKeeper client'
      : `${deploymentLabel(deployment.number)}, ${asText(deployment.by, 60)}`;
  return [
    `published: ${shortCommit(target.commitId)} by ${name}${deployment?.reason ? `, ${asText(deployment.reason, 100)}` : ''}`,
  ];
}

function rolloutNews({ rollout: was }: PagePicture, { rollout: is, reached, expected }: PagePicture): string[] {
  if (is === null) return [];
  if (was?.deployment === is.deployment && was.state === is.state) {
    return was.wave === is.wave || is.state !== 'running'
      ? []
      : [`${deploymentLabel(is.deployment)}: wave ${is.wave} begins`];
  }
  if (is.state === 'proven') return [`${deploymentLabel(is.deployment)} is proven: ${reached} of ${expected} servers`];
  if (is.state === 'running') return [];
  return [`${deploymentLabel(is.deployment)} is ${is.state}${is.reason === '' ? '' : `: ${asText(is.reason, 200)}`}`];
}

function brakeNews({ hold: was }: PagePicture, { hold: is }: PagePicture): string[] {
  if ((was === null) === (is === null)) return [];
  return [
    is === null ? 'the hold has ended' : `publishing is on hold by ${asText(is.by, 60)}: ${asText(is.reason, 100)}`,
  ];
}

function agentNews(before: PagePicture, after: PagePicture): string[] {
  if (before.agents === after.agents) return [];
  const found = {
    failed: [] as AgentRow[],
    recovered: [] as AgentRow[],
    gone: [] as AgentRow[],
    back: [] as AgentRow[],
  };
  for (const agent of after.agents.values()) {
    const old = before.agents.get(agent.agentId);
    if (old === agent) continue;
    const [was, is] = [old ? stateOf(old) : null, stateOf(agent)];
    if (was === is) continue;
    if (is === 'failed') found.failed.push(agent);
    else if (is === 'active' && was === 'failed') found.recovered.push(agent);
    else if (is === 'offline') found.gone.push(agent);
    else if (was === 'offline') found.back.push(agent);
  }
  return [
    ...failedNews(found.failed),
    ...sentence(found.recovered, 'active again'),
    ...sentence(found.gone, 'offline'),
    ...sentence(found.back, 'online again'),
  ];
}

function failedNews(agents: readonly AgentRow[]): string[] {
  const [only] = agents;
  if (agents.length !== 1 || !only) return sentence(agents, 'failed');
  return [`${asText(only.agentId, 100)} failed${only.error === null ? '' : `: ${asText(only.error.code, 40)}`}`];
}

function sentence(agents: readonly AgentRow[], words: string): string[] {
  if (agents.length === 0) return [];
  const names = namesText(
    agents.map(({ agentId }) => agentId),
    3,
  );
  return [agents.length <= 3 ? `${names}: ${words}` : `${countText(agents.length, 'server')} ${words}: ${names}`];
}
