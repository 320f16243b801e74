import { parsePolicy } from '../../schemas/policy.ts';
import { parseRollout } from '../../schemas/rollout.ts';
import { targetVersionOf } from '../../schemas/target.ts';
import { LIE } from './checker.ts';
import { type Fleet, join, kill, publish, REPOSITORY, say } from './fleet.ts';
import { PATH, type SimulatedServer } from './server.ts';

/**
 * What somebody does who has found credentials of a fleet, or has an app without access lists before them: records that
 * no machine of ours would write, lying reports, presences of servers that do not exist. And one accident: a disk that
 * holds a few releases only.
 */

/** Members of a target that no agent may follow: elsewhere, or outside its root. */
const HOSTILE = [
  { url: 'https://evil.example.com/shop', commitId: 'e'.repeat(40), relativePath: PATH },
  { url: REPOSITORY, commitId: 'e'.repeat(40), relativePath: '../outside' },
  { url: REPOSITORY, commitId: 'e'.repeat(40), relativePath: '/etc/shop' },
  { url: 'file:///web-1/state', commitId: 'e'.repeat(40), relativePath: 'shop/../../state/shop' },
  { url: `${REPOSITORY}/../other`, commitId: '../../../etc', relativePath: PATH },
];

/** A record that is not what it should be; where people would see the fleet stand still, one of them puts it right. */
export function hostileRecord(fleet: Fleet, policy: Buffer): void {
  const { draw } = fleet;
  draw.pick([tempted, tempted, hostilePermits, () => hostilePolicy(fleet, policy), hostileQuarantine])(fleet);
}

/** With a server that serves nothing yet, and a person who lets it go on. */
function tempted(fleet: Fleet): void {
  const { draw, clock } = fleet;
  hostileBase(fleet);
  if (draw.often(0.5)) join(fleet);
  clock.after(draw.next() * 60_000, () => say(fleet, 'resume'));
}

/** The A1 of old: agents that have no permit go to the base, a new one among them. */
export function hostileBase(fleet: Fleet): void {
  const { zookeeper, paths, draw, tell, clock } = fleet;
  const node = zookeeper.peek(paths.rollout);
  const rollout = node && parseRollout(node.data);
  if (!rollout) return;
  const base = { deployment: 1, ...draw.pick(HOSTILE) };
  tell(`a stranger makes ${base.url} at ${base.relativePath} the base`);
  const paused = { by: 'a stranger', reason: '', at: clock.now() };
  const held = draw.often(0.5) ? { state: 'paused', paused } : {};
  writeAsStranger(fleet, paths.rollout, JSON.stringify({ ...rollout, permits: true, base, ...held }));
}

function hostilePermits(fleet: Fleet): void {
  const { servers, paths, draw, tell } = fleet;
  tell('a stranger grants permits for other versions');
  for (const { id } of servers) {
    const granted = draw.pick(['1.1', 'ffffffff.1', '../../x', '', '\u0000', '9'.repeat(5_000)]);
    writeAsStranger(fleet, paths.permit(id), granted);
  }
}

function hostilePolicy(fleet: Fleet, policy: Buffer): void {
  const { paths, draw, tell } = fleet;
  const values = ['{', '[]', '{"canary":"../x"}', '{"maxParallel":1e99}', '{"soak":"-5s"}', '{"deadline":"0s"}', '"x"'];
  const value = draw.pick(values);
  tell(`a stranger makes ${value} the policy, ${parsePolicy(Buffer.from(value)).unreadable ?? 'which is readable'}`);
  writeAsStranger(fleet, paths.policy, value);
  putRight(fleet, paths.policy, policy);
}

function hostileQuarantine(fleet: Fleet): void {
  const { paths, draw, tell, commits } = fleet;
  const listed = { commitId: draw.pick([...commits.keys()]), reason: '\u202e', by: 'x', at: -1 };
  const value = draw.pick([
    '{',
    '{"commits":{}}',
    '{"commits":[{"commitId":"../x"}]}',
    JSON.stringify({ commits: [listed] }),
  ]);
  tell(`a stranger makes ${value} the quarantine`);
  writeAsStranger(fleet, paths.quarantine, value);
  putRight(fleet, paths.quarantine, Buffer.alloc(0));
}

function putRight({ people, clock, draw, ask }: Fleet, path: string, data: Buffer): void {
  const minute = clock.sleep(draw.next() * 60_000);
  ask(minute.then(() => people.set(path, data, -1)).catch(() => {}));
}

/** A report under a server's name says that it is active, whatever it shows. */
export function lieAbout(fleet: Fleet, server: SimulatedServer): void {
  const { zookeeper, paths, clock, tell, trouble, checker } = fleet;
  const config = zookeeper.peek(paths.config);
  const commitId = checker.current();
  if (!config || commitId === null) return;
  tell(`a stranger reports that ${server.id} is active`);
  trouble();
  checker.liedAbout(server);
  const now = clock.now();
  const says = { agentId: server.id, targetVersion: targetVersionOf(config), phase: 'active', activeCommit: commitId };
  writeAsStranger(
    fleet,
    paths.report(server.id),
    JSON.stringify({ ...says, relativePath: PATH, phaseAt: now, at: now, agentVersion: LIE }),
  );
}

/** A server that does not exist is online for a while, first in the order of names; or a node without a session is. */
export function inventPresence(fleet: Fleet, server: SimulatedServer): void {
  const { paths, draw, tell, trouble, clock, ask, people } = fleet;
  trouble();
  const forMs = draw.next() * 90_000;
  if (draw.often(0.5)) {
    const id = draw.pick(['aa-1', 'web-0', 'zz-9']);
    tell(`a stranger invents ${id}`);
    ask(showOnline(fleet, id, 'ephemeral').catch(() => {}));
    ask(
      clock
        .sleep(forMs)
        .then(() => fleet.stranger().remove(paths.presence(id), -1))
        .catch(() => {}),
    );
    return;
  }
  tell(`a stranger leaves a node without a session in the place of ${server.id}`);
  kill(fleet, [server], () => 20_000);
  // Its own presence stands until its session has timed out.
  ask(
    clock
      .sleep(10_000)
      .then(() => showOnline(fleet, server.id, 'persistent'))
      .then(() => clock.sleep(forMs))
      .then(() => people.remove(paths.presence(server.id), -1))
      .catch(() => {}),
  );
}

function showOnline({ stranger, paths }: Fleet, id: string, mode: 'ephemeral' | 'persistent'): Promise<unknown> {
  const card = { agentId: id, instanceId: id, machineId: id, pid: 1, host: id, labels: { zone: 'a' }, startedAt: 0 };
  return stranger().create(paths.presence(id), Buffer.from(JSON.stringify(card)), mode);
}

/** From now on this server has room for a few releases, whoever made them; and many deployments follow quickly. */
export function fillDisk(fleet: Fleet, server: SimulatedServer): void {
  const { tell, draw, clock, ask } = fleet;
  server.releasesThatFit = 5 + draw.below(3);
  tell(`the disk of ${server.id} holds ${server.releasesThatFit} releases`);
  // Asked: the run's end waits for the last of them, too.
  for (let more = 1; more <= 8; more++) {
    ask(clock.sleep(more * 10_000 * draw.next()).then(() => publish(fleet, 'good')));
  }
}

function writeAsStranger({ stranger, ask }: Fleet, path: string, value: string): void {
  const data = Buffer.from(value);
  const write = () => stranger().set(path, data, -1);
  ask(
    write()
      .catch(() => stranger().create(path, data, 'persistent'))
      .catch(() => {}),
  );
}
