import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ANY_URL, parseTarget } from '../../../schemas/target.ts';
import { type Origin, shownCommit, type TestAgent, TestFleet } from '../../support/fleet.ts';
import { type Authority, type HttpsOrigin, makeAuthority, startHttpsOrigin } from '../../support/git/https-origin.ts';
import { freePort, makeKey, type Sshd, startSshd } from '../../support/git/sshd.ts';
import { watchProcesses } from '../../support/processes.ts';
import { openProxy } from '../../support/proxy.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
let origin: Origin;
/** Newest last; ended in the opposite order. */
const stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  fleet = await TestFleet.create(servers.connect());
  origin = await fleet.origin();
});
afterEach(async () => {
  await fleet.stop();
  for (const stop of stops.splice(0).reverse()) await stop();
});

let round = 0;
const commit = () => origin.commit('next', { f: `${round++}`, 'd/e': 'x'.repeat(round) });

/** Publishes a target that must be refused for now: what runs stays, and the failure says what a person must do. */
async function stalls(
  agent: TestAgent,
  target: { url: string; commitId: string },
  failure: { code: string; reason: RegExp; hint: string },
): Promise<void> {
  const before = { shown: await shownCommit(agent.root, 'shop'), link: readlinkSync(join(agent.root, 'shop')) };
  const said = await fleet.publish(target, '--no-check');
  expect(said.exitCode).toBe(1);
  expect(said.stdout).toContain(`${agent.id}: failed: ${failure.code}`);
  const report = await fleet.reported(agent.id, failure.code, ({ phase }) => phase === 'failed');
  expect(report.error).toMatchObject({ code: failure.code, next: 'stall' });
  expect(report.error?.reason).toMatch(failure.reason);
  expect(report.error?.hint).toContain(failure.hint);
  expect(report).toMatchObject({ activeCommit: before.shown, desiredCommit: target.commitId });
  expect(await agent.log()).toContain(`"code":"${failure.code}"`);
  expect(await shownCommit(agent.root, 'shop')).toBe(before.shown);
  expect(readlinkSync(join(agent.root, 'shop'))).toBe(before.link);
}

async function deploys(agent: TestAgent, target: { url: string; commitId: string }): Promise<void> {
  expect(await fleet.publish(target, '--no-check')).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await shownCommit(agent.root, 'shop')).toBe(target.commitId);
}

/** As a foreign writer sets what config holds once more: the same target, a new write. */
async function setAgain(): Promise<void> {
  const node = await fleet.session.get(fleet.znodes.config);
  const parsed = parseTarget(node?.data ?? Buffer.alloc(0), ANY_URL);
  if (!parsed.ok) throw new Error(parsed.failure.reason);
  const { url, commitId, relativePath } = parsed.target;
  await fleet.setConfig(JSON.stringify({ url, commitId, relativePath }));
}

/** From the port of a server to the one that the agent is told; through a slow line, for instance. */
type Way = (port: number) => Promise<number>;
const straight: Way = async (port) => port;

interface Ssh {
  readonly url: string;
  readonly prefix: string;
  readonly keyFile: string;
  readonly knownHosts: string;
  readonly sshd: Sshd;
  /** The line of the server's present host key, as a person would put it into known_hosts. */
  hostLine(): string;
  /** The server is set up anew: same address, same users, another host key. */
  reinstall(): Promise<void>;
}

async function ssh(way: Way = straight): Promise<Ssh> {
  const directory = join(fleet.directory, 'ssh');
  const port = await freePort();
  const shownPort = await way(port);
  const start = async (name: string) => {
    const sshd = await startSshd({ directory: join(directory, name), port });
    stops.push(() => sshd.stop());
    return sshd;
  };
  let sshd = await start('one');
  const key = makeKey(join(directory, 'id'));
  sshd.authorize(key.publicKey);
  const prefix = `ssh://127.0.0.1:${shownPort}`;
  const self: Ssh = {
    url: `${prefix.replace('//', `//${userInfo().username}@`)}${origin.bare}`,
    prefix,
    keyFile: key.file,
    knownHosts: join(directory, 'known_hosts'),
    get sshd() {
      return sshd;
    },
    hostLine: () => sshd.hostLine.replace(`:${port} `, `:${shownPort} `),
    async reinstall() {
      await sshd.stop();
      sshd = await start('two');
      sshd.authorize(readFileSync(`${key.file}.pub`, 'utf8').trim());
    },
  };
  writeFileSync(self.knownHosts, self.hostLine());
  return self;
}

interface Https {
  readonly url: string;
  readonly prefix: string;
  readonly tokenFile: string;
  readonly authority: Authority;
  readonly server: HttpsOrigin;
}

async function https(token: string, way: Way = straight): Promise<Https> {
  const authority = makeAuthority(join(fleet.directory, 'authority'));
  const server = await startHttpsOrigin(fleet.directory, authority);
  stops.push(() => server.stop());
  server.allowed = [`gitfleet:${token}`];
  const tokenFile = join(fleet.directory, 'token');
  writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
  const prefix = `https://127.0.0.1:${await way(server.port)}`;
  return { url: `${prefix}/shop.git`, prefix, tokenFile, authority, server };
}

/** One agent that may fetch from these places, each with what its prefix grants, and logs all it can. */
async function agentFor(layout: { ssh?: Ssh; https?: Https }): Promise<TestAgent> {
  const grants = [
    layout.ssh && { prefix: layout.ssh.prefix, sshKeyFile: layout.ssh.keyFile, knownHosts: layout.ssh.knownHosts },
    layout.https && {
      prefix: layout.https.prefix,
      tokenFile: layout.https.tokenFile,
      caFile: layout.https.authority.caFile,
    },
  ];
  const credentials = grants.filter((grant) => grant !== undefined);
  const args = credentials.flatMap(({ prefix }) => ['--allow-url', prefix]);
  const agent = await fleet.startAgent('web-1', {
    args,
    settings: { agent: { credentials }, log: { level: 'trace' } },
  });
  await fleet.online(1);
  return agent;
}

describe('a repository behind ssh', () => {
  it('deploys; a rotated key is taken without a restart', async () => {
    const server = await ssh();
    const agent = await agentFor({ ssh: server });
    const { pid } = agent.process;
    await deploys(agent, { url: server.url, commitId: await commit() });

    const next = { url: server.url, commitId: await commit() };
    const rotated = makeKey(server.keyFile);
    await stalls(agent, next, { code: 'AUTH', reason: /Permission denied/, hint: 'sshKeyFile' });
    server.sshd.authorize(rotated.publicKey);
    await deploys(agent, next);
    expect(agent.process).toMatchObject({ pid, exitCode: null });
  });

  it('takes no unknown and no changed host key, says so, and goes on once a person has compared it', async () => {
    const server = await ssh();
    const agent = await agentFor({ ssh: server });
    await deploys(agent, { url: server.url, commitId: await commit() });

    const unknown = { url: server.url, commitId: await commit() };
    writeFileSync(server.knownHosts, '');
    await stalls(agent, unknown, { code: 'HOST_KEY', reason: /Host key verification failed/, hint: 'knownHosts' });
    writeFileSync(server.knownHosts, server.hostLine());
    await setAgain();
    await fleet.reported('web-1', 'the same target set again', ({ phase }) => phase === 'active');
    expect(await shownCommit(agent.root, 'shop')).toBe(unknown.commitId);

    const changed = { url: server.url, commitId: await commit() };
    await server.reinstall();
    await stalls(agent, changed, { code: 'HOST_KEY', reason: /Host key verification failed/, hint: 'knownHosts' });
    writeFileSync(server.knownHosts, server.hostLine());
    await deploys(agent, changed);
  });
});

describe('a repository behind https with an authority of its own', () => {
  it('deploys; a rotated token is taken without a restart, a wrong one or an unknown authority is told', async () => {
    const server = await https('first-token-4711');
    const agent = await agentFor({ https: server });
    const { pid } = agent.process;
    await deploys(agent, { url: server.url, commitId: await commit() });

    const next = { url: server.url, commitId: await commit() };
    server.server.allowed = ['gitfleet:second-token-4712'];
    await stalls(agent, next, { code: 'AUTH', reason: /Authentication failed/, hint: 'tokenFile' });
    writeFileSync(server.tokenFile, 'second-token-4712\n');
    await deploys(agent, next);

    const last = { url: server.url, commitId: await commit() };
    const good = readFileSync(server.authority.caFile);
    writeFileSync(server.authority.caFile, readFileSync(makeAuthority(join(fleet.directory, 'other')).caFile));
    await stalls(agent, last, { code: 'TLS', reason: /certificate/, hint: 'caFile' });
    writeFileSync(server.authority.caFile, good);
    await setAgain();
    await fleet.reported('web-1', 'the same target set again', ({ phase }) => phase === 'active');
    expect(await shownCommit(agent.root, 'shop')).toBe(last.commitId);
    expect(agent.process).toMatchObject({ pid, exitCode: null });
  });
});

describe('the secrets', () => {
  const TOKEN = 'canary-4711-of-the-token';
  const WRONG = 'canary-4712-of-another-token';

  it('are in no log, no znode, no command line, no environment and no file of ours', async () => {
    // Both ways lead through a slow line, so that each process of a fetch lives long enough to be looked at.
    const behindSsh = await ssh(slowLine);
    const behindHttps = await https(TOKEN, slowLine);
    const agent = await agentFor({ ssh: behindSsh, https: behindHttps });
    const watch = watchProcesses(agent.process.pid as number, 3);
    stops.push(async () => watch.stop());
    await deploys(agent, { url: behindHttps.url, commitId: await commit() });
    writeFileSync(behindHttps.tokenFile, `${WRONG}\n`);
    const next = { url: behindHttps.url, commitId: await commit() };
    await stalls(agent, next, { code: 'AUTH', reason: /Authentication failed/, hint: 'tokenFile' });
    await deploys(agent, { ...next, url: behindSsh.url });
    watch.stop();

    const secrets = [TOKEN, WRONG, ...[TOKEN, WRONG].map((token) => base64(`gitfleet:${token}`))];
    secrets.push(...readFileSync(behindSsh.keyFile, 'latin1').split('\n').slice(1, -2));
    const leaks = (where: string, text: string) => secrets.filter((secret) => text.includes(secret)).map(() => where);
    // That the search finds what is there.
    expect(leaks('token', readFileSync(behindHttps.tokenFile, 'latin1'))).toEqual(['token']);
    expect(leaks('key', readFileSync(behindSsh.keyFile, 'latin1')).length).toBeGreaterThan(3);

    const commands = watch.seen.map(({ command }) => command.replaceAll('\0', ' ').trim());
    for (const program of [/^git .*fetch/, /git-remote-https /, /^ssh .*git-upload-pack/]) {
      expect(commands.filter((command) => program.test(command))).not.toEqual([]);
    }
    expect(watch.seen.some(({ environment }) => environment.includes('GITFLEET_TOKEN_FILE='))).toBe(true);
    const znodes = await wholeTree(fleet.app);
    expect(znodes.map(({ where }) => where)).toContain(fleet.znodes.report('web-1'));
    const files = [...wholeDirectory(agent.root), ...wholeDirectory(agent.state)];
    expect(files.map(({ where }) => where)).toContain(join(agent.root, '.gitfleet', 'owner'));
    const everything = [
      { where: 'log', text: await agent.log() },
      ...watch.seen.map(({ pid, command, environment }) => ({ where: `process ${pid}`, text: command + environment })),
      ...znodes,
      ...files,
    ];
    expect(everything.flatMap(({ where, text }) => leaks(where, text))).toEqual([]);
  }, 240_000);
});

const base64 = (text: string) => Buffer.from(text).toString('base64');

async function slowLine(port: number): Promise<number> {
  const line = await openProxy(port);
  stops.push(() => line.stop());
  line.delay(60);
  return line.port;
}

interface Found {
  readonly where: string;
  readonly text: string;
}

/** Every znode at and below a path, with its content. */
async function wholeTree(path: string): Promise<Found[]> {
  const node = await fleet.session.get(path);
  const children = (await fleet.session.children(path)) ?? [];
  const below = await Promise.all(children.map((name) => wholeTree(`${path}/${name}`)));
  return [{ where: path, text: node?.data.toString('latin1') ?? '' }, ...below.flat()];
}

/** Every file and link below a directory, with its content. */
function wholeDirectory(directory: string): Found[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const where = join(entry.parentPath, entry.name);
    if (entry.isSymbolicLink()) return [{ where, text: readlinkSync(where) }];
    return entry.isFile() ? [{ where, text: readFileSync(where, 'latin1') }] : [];
  });
}
