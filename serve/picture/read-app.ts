import { parseConfig, parseWithTarget } from '../../fleet/shared-state.ts';
import { parseFlags } from '../../schemas/flags.ts';
import { parseHold, parseQuarantine } from '../../schemas/hold.ts';
import { parsePolicy } from '../../schemas/policy.ts';
import { unknownState } from '../../schemas/rollout.ts';
import { targetVersionOf } from '../../schemas/target-version.ts';
import { initialZnodes, parseCandidate, type Znodes } from '../../schemas/znodes.ts';
import { childPath } from '../../zookeeper/paths.ts';
import { inOrder } from '../../zookeeper/recipes/contention.ts';
import { readAny } from '../../zookeeper/recipes/read-any.ts';
import type { ChildrenSnapshot, Snapshot } from '../../zookeeper/session.ts';
import { keepNames, keepZnode, type ReadParts, repeat } from './keep-znode.ts';
import { readAgents } from './read-agents.ts';
import { readRecords } from './read-records.ts';
import { readServices } from './read-services.ts';
import type { Seen } from './seen.ts';

const MISSING_MS = 60_000;

type Single = Pick<Seen, 'config' | 'rollout' | 'policy' | 'hold' | 'quarantine' | 'flags'>;
type Kept = { -readonly [Name in keyof (Single & Pick<Seen, 'coordinator' | 'missing'>)]?: Seen[Name] };

const EMPTY = Buffer.alloc(0);
const dataOf = (found: Snapshot): Buffer => (found.exists ? found.data : EMPTY);

/** What each znode of its own holds, by its parser. */
const PARSERS: { readonly [Name in keyof Single]: (found: Snapshot) => Single[Name] } = {
  config: (found) =>
    found.exists
      ? { ...parseConfig(found.data), targetVersion: targetVersionOf(found.stat), writtenAt: found.stat.mtime }
      : null,
  rollout: (found) => ({ rollout: parseWithTarget(dataOf(found)), foreign: unknownState(dataOf(found)) }),
  policy: (found) => parsePolicy(dataOf(found)),
  hold: (found) => parseHold(dataOf(found)),
  quarantine: (found) => parseQuarantine(dataOf(found)),
  flags: (found) => parseFlags(dataOf(found)),
};

/**
 * Reads the shared state of one app, and keeps it read: 11 watches whatever the number of agents and viewers, and reads
 * within a budget (read-agents.ts). It only reads. @returns the last reading; null until every part was read once.
 * @param changed called after each change, and then some.
 */
export function readApp(parts: ReadParts, znodes: Znodes, changed: () => void, signal: AbortSignal): () => Seen | null {
  const kept: Kept = {};
  let last: Seen | null = null;
  const renewed = () => {
    last = null;
    changed();
  };
  const agents = readAgents(parts, znodes, renewed, signal);
  const records = readRecords(parts, znodes, renewed, signal);
  const ids = () => new Set(agents.seen()?.views.map(({ agentId }) => agentId) ?? []);
  const services = readServices(parts, ids, renewed, signal);

  for (const name of Object.keys(PARSERS) as (keyof Single)[]) {
    void keepZnode(parts, znodes[name], (found) => take(name, found), signal);
  }
  void keepNames(parts, znodes.election, takeCandidates, signal);
  void repeat(parts, MISSING_MS, findMissing, signal);

  function take(name: keyof Single, found: Snapshot): void {
    const before = kept.rollout?.rollout?.members;
    Object.assign(kept, { [name]: PARSERS[name](found) });
    if (name === 'config') agents.moved(kept.config?.targetVersion ?? null);
    if (name === 'rollout') {
      const members = kept.rollout?.rollout?.members ?? [];
      if (members.join() !== before?.join()) agents.moved(kept.config?.targetVersion ?? null, members);
      records.look();
    }
    renewed();
  }

  /** Who leads: the first candidate. */
  async function takeCandidates(found: ChildrenSnapshot): Promise<void> {
    const [first] = found.exists ? inOrder(found.names, 'candidate-') : [];
    const node = first === undefined ? null : await readAny(parts.session, childPath(znodes.election, first));
    kept.coordinator = node && parseCandidate(node.data);
    renewed();
  }

  async function findMissing(): Promise<void> {
    const paths = initialZnodes(znodes.app).map(([path]) => path);
    const found = await Promise.all(paths.map((path) => parts.session.exists(path)));
    kept.missing = paths.filter((_, at) => found[at] === null).map((path) => path.slice(znodes.app.length + 1));
    renewed();
  }

  return () => {
    if (last !== null) return last;
    const [seenAgents, deployments, acts, seenServices] = [
      agents.seen(),
      records.deployments(),
      records.acts(),
      services(),
    ];
    const isWhole = [...Object.keys(PARSERS), 'coordinator', 'missing'].every((name) => name in kept);
    if (!isWhole || !seenAgents || !deployments || !acts || !seenServices) return null;
    const { coordinator, missing, ...single } = kept as Required<Kept>;
    last = { ...single, coordinator, missing, agents: seenAgents, deployments, acts, services: seenServices };
    return last;
  };
}
