/**
 * The whole shared state, declared once: path, mode, content, who writes and who watches. docs/znodes.md is generated
 * from TREE; `znodes(app)` gives the paths. Rights of each role: fleet/access.ts.
 */
interface ZnodeRow {
  /** Relative to the app znode; `<...>` stands for a name. */
  readonly path: string;
  readonly mode: 'persistent' | 'ephemeral' | 'ephemeral sequential';
  readonly content: string;
  readonly writtenBy: string;
  readonly watchedBy: string;
}

export const TREE: readonly ZnodeRow[] = [
  {
    path: 'config',
    mode: 'persistent',
    content: 'target (schemas/target.ts)',
    writtenBy: 'publish transaction; any foreign writer',
    watchedBy: 'every agent, coordinator',
  },
  {
    path: 'deployments',
    mode: 'persistent',
    content: 'the last deployment number, decimal',
    writtenBy: 'publish transaction; whoever adopts a foreign target',
    watchedBy: '-',
  },
  {
    path: 'deployments/d-<n>',
    mode: 'persistent',
    content: 'deployment record (schemas/deployment.ts), newest 200 kept',
    writtenBy: 'publish transaction; whoever adopts a foreign target; its outcome by whoever judges',
    watchedBy: '-',
  },
  {
    path: 'rollout',
    mode: 'persistent',
    content: 'rollout record (schemas/rollout.ts)',
    writtenBy: 'coordinator; operators',
    watchedBy: 'every agent, coordinator; a waiting publisher polls',
  },
  {
    path: 'permits/<agentId>',
    mode: 'persistent',
    content: 'targetVersion that the agent may activate',
    writtenBy: 'coordinator',
    watchedBy: 'that agent',
  },
  {
    path: 'policy',
    mode: 'persistent',
    content: 'default policy; empty: everyone at once',
    writtenBy: 'operator',
    watchedBy: 'coordinator, agents; these go by it where no rollout has begun',
  },
  {
    path: 'hold',
    mode: 'persistent',
    content: 'hold (schemas/hold.ts); empty: none',
    writtenBy: 'operator',
    watchedBy: 'read by publishers and gates',
  },
  {
    path: 'quarantine',
    mode: 'persistent',
    content: 'the newest 200 refused commits with reasons; empty: none',
    writtenBy: 'operator, coordinator; publish --force and rollback --quarantine',
    watchedBy: 'coordinator; read by publishers, gates and agents',
  },
  {
    path: 'online/<agentId>',
    mode: 'ephemeral',
    content: 'presence (schemas/report.ts)',
    writtenBy: 'that agent',
    watchedBy: 'that agent, coordinator (children)',
  },
  {
    path: 'agents/<agentId>',
    mode: 'persistent',
    content: 'last report (schemas/report.ts)',
    writtenBy: 'that agent, only while it owns its presence',
    watchedBy: 'polled by the coordinator and a waiting publisher',
  },
  {
    path: 'election',
    mode: 'ephemeral sequential',
    content: 'at most 7 candidates',
    writtenBy: 'agents that may lead',
    watchedBy: 'the one after',
  },
  {
    path: 'fetch',
    mode: 'ephemeral sequential',
    content: 'leases on the origin',
    writtenBy: 'agents about to ask the origin',
    watchedBy: 'the one after; the leases by the head of the queue',
  },
];

/** An app znode: absolute, no trailing slash, plain segments. */
export const APP_ZNODE = /^(\/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){1,8}$/;
/** An agent's id names a znode and a line on a screen: plain characters only. */
export const AGENT_ID = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;

export type Znodes = ReturnType<typeof znodes>;

export function znodes(app: string) {
  return {
    app,
    config: `${app}/config`,
    deployments: `${app}/deployments`,
    deployment: (n: number) => `${app}/deployments/d-${n}`,
    rollout: `${app}/rollout`,
    permits: `${app}/permits`,
    permit: (agentId: string) => `${app}/permits/${agentId}`,
    policy: `${app}/policy`,
    hold: `${app}/hold`,
    quarantine: `${app}/quarantine`,
    online: `${app}/online`,
    presence: (agentId: string) => `${app}/online/${agentId}`,
    agents: `${app}/agents`,
    report: (agentId: string) => `${app}/agents/${agentId}`,
    election: `${app}/election`,
    fetch: `${app}/fetch`,
  };
}
