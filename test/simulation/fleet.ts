import { openAccess } from '../../fleet/access.ts';
import { publishTarget } from '../../fleet/publish-transaction.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { steerWords } from '../../publisher/screens/steer-words.ts';
import type { STEERING } from '../../publisher/steer.ts';
import { steerRollout } from '../../publisher/steer-rollout.ts';
import { ANY_URL, parseTarget } from '../../schemas/target.ts';
import type { znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Seeded } from '../support/seeded.ts';
import type { Backup, FakeServer } from '../support/zookeeper/fake/server.ts';
import type { Checker, CommitKind } from './checker.ts';
import { PATH, REPOSITORY, type SimulatedServer, simulatedServer, type World } from './server.ts';

export { REPOSITORY } from './server.ts';

/** A commit of one run. */
export interface Made {
  readonly kind: CommitKind;
  readonly sickOn: string;
}

export interface Fleet {
  readonly draw: Seeded;
  readonly clock: World['clock'];
  readonly people: Session;
  readonly paths: ReturnType<typeof znodes>;
  readonly servers: SimulatedServer[];
  readonly commits: Map<string, Made>;
  /** A server is in trouble. */
  readonly trouble: () => void;
  readonly checker: Checker;
  readonly tell: (words: string) => void;
  readonly world: World;
  readonly origin: (up: boolean) => void;
  /** A person waits for this, which does not fail. */
  readonly ask: (work: Promise<unknown>) => void;
  readonly zookeeper: FakeServer;
  /** What its data were at earlier moments, oldest first. */
  readonly backups: Backup[];
  readonly cutPeople: () => void;
  /** Somebody who has found a credential: no order of theirs carries a guard. */
  readonly stranger: () => Session;
  /** By how much the clock of the next publisher is off, ms. */
  readonly skew: () => number;
}

export const newServer = (world: World, at: number, draw: Seeded): SimulatedServer =>
  simulatedServer(world, `web-${at + 1}`, { zone: at === 0 ? 'a' : draw.pick(['a', 'b']) }, draw.fork());

/** Who leads the rollout now. */
export const leaderOf = (fleet: Fleet, otherwise: SimulatedServer): SimulatedServer =>
  fleet.servers.find(({ id }) => id === fleet.checker.rollout()?.leader?.agentId) ?? otherwise;

/** Each is there again after as many ms as `forMs` says. */
export function kill({ tell, trouble, clock, servers }: Fleet, whom: SimulatedServer[], forMs: () => number): void {
  tell(whom === servers ? 'every agent is killed' : `${whom.map(({ id }) => id)} is killed`);
  trouble();
  for (const each of whom) each.kill();
  for (const each of [...whom]) clock.after(forMs(), () => void each.start());
}

export function freeze({ tell, trouble, clock }: Fleet, whom: SimulatedServer, forMs: number): void {
  tell(`${whom.id} is frozen`);
  trouble();
  whom.freeze();
  clock.after(forMs, whom.thaw);
}

export function loseLine(fleet: Fleet, whom: SimulatedServer, how: 'drop' | 'refuse', forMs: number): void {
  fleet.tell(`${whom.id} loses its line`);
  fleet.trouble();
  whom.line.mode(how);
  fleet.clock.after(forMs, () => whom.line.mode('pass'));
}

export function cutLines({ tell, trouble, servers }: Fleet): void {
  tell('every line is cut');
  trouble();
  for (const each of servers) each.line.cut();
}

export function loseOrigin({ tell, origin, clock }: Fleet, forMs: number): void {
  tell('the origin goes away');
  origin(false);
  clock.after(forMs, () => origin(true));
}

export function join({ world, servers, draw, tell }: Fleet): void {
  const joiner = newServer(world, servers.length, draw);
  tell(`${joiner.id} joins`);
  servers.push(joiner);
  void joiner.start();
}

let serial = 0;

/** Publishes a new commit: as our publisher does, or as any ZooKeeper client might. */
export function publish(fleet: Fleet, kind: CommitKind, how: 'ours' | 'foreign' = 'ours'): void {
  const { draw, commits } = fleet;
  const commitId = Array.from({ length: 40 }, () => draw.below(16).toString(16)).join('');
  const sick = fleet.draw.pick(fleet.servers).id;
  commits.set(commitId, { kind, sickOn: sick });
  publishCommit(fleet, commitId, how, `a ${kind} commit${kind === 'flaky' ? ` that is sick on ${sick}` : ''}`);
}

function publishCommit(fleet: Fleet, commitId: string, how: 'ours' | 'foreign', what: string): void {
  const { people, paths, clock, tell, skew } = fleet;
  const text = JSON.stringify({ url: REPOSITORY, commitId, relativePath: PATH });
  tell(`${how === 'ours' ? 'publish' : 'a foreign writer sets'} ${commitId.slice(0, 7)}, ${what}`);
  const failed = (error: unknown) => tell(`${commitId.slice(0, 7)} is not published: ${(error as Error).message}`);
  if (how === 'foreign') {
    fleet.ask(people.set(paths.config, Buffer.from(text), -1).catch(failed));
    return;
  }
  const judged = parseTarget(Buffer.from(text), ANY_URL);
  if (!judged.ok) throw new Error(judged.failure.reason);
  const { target } = judged;
  const parts = {
    session: people,
    znodes: paths,
    access: openAccess,
    now: () => clock.now() + skew(),
    newNonce: () => `people-${++serial}`,
  };
  fleet.ask(
    readSharedState(people, paths)
      .then((state) => publishTarget(parts, state, { target, by: 'ann', reason: what, via: 'publish' }))
      .catch(failed),
  );
}

/** A person rolls back to any commit that was published before. */
export function backByHand(fleet: Fleet, to = fleet.draw.pick([...fleet.commits.keys()])): void {
  publishCommit(fleet, to, 'ours', 'again, by hand');
}

export function say({ people, paths, clock, tell, ask }: Fleet, verb: (typeof STEERING)[number]): void {
  tell(`a person says ${verb}`);
  ask(
    steerRollout({ session: people, znodes: paths, clock }, verb, { by: 'ann', reason: 'to see' })
      .then((steered) => tell(`${verb}: ${steerWords(steered)}`))
      .catch((error: unknown) => tell(`${verb} is refused: ${(error as Error).message}`)),
  );
}
