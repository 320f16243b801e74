import { spawn } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../../runtime/clock.ts';
import { statusOutput } from '../../../schemas/json-output.ts';
import { readCache } from '../../../services/cache.ts';
import { instanceOutput, instancesOutput, serviceNamesOutput } from '../../../services/output.ts';
import { cleanEnvironment, gitfleet, MAIN } from '../../support/commands.ts';
import { TestFleet } from '../../support/fleet.ts';
import { freePort } from '../../support/services/proxies.ts';
import { Instance, ownAddress } from '../../support/services/web.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
const FOREIGN = join(import.meta.dirname, '../../support/services/foreign-service.py');
const LIST = '/service/shop/web';
const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

async function fleetHere(): Promise<TestFleet> {
  const fleet = await TestFleet.create(servers.connect());
  cleanUp.push(() => fleet.stop());
  return fleet;
}

async function instanceHere(): Promise<Instance> {
  const instance = new Instance(ownAddress());
  await instance.start('a');
  cleanUp.push(() => instance.stop());
  return instance;
}

const names = async (fleet: TestFleet): Promise<string[]> => (await fleet.session.children(LIST)) ?? [];

function start(command: string, args: string[]) {
  const child = spawn(command, args, { cwd: '/', env: cleanEnvironment(), stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const over = new Promise<number | null>((resolve) => child.once('exit', resolve));
  cleanUp.push(async () => {
    child.kill('SIGTERM');
    await over;
  });
  return { child, over, said: () => said };
}

const foreign = (fleet: TestFleet, ...args: string[]) => start('/usr/bin/python3', [FOREIGN, fleet.zookeeper, ...args]);

describe('a service of an agent', () => {
  async function agentWith(instance: Instance, id = 'web-1', more: object = {}) {
    const fleet = await fleetHere();
    const service = { name: 'shop/web', host: instance.host, port: instance.port, ...more };
    const settings = { agent: { services: [service] } };
    const agent = await fleet.startAgent(id, { args: ['--label', 'role=web'], settings });
    await until('it is registered', async () => (await names(fleet)).length === 1);
    return { fleet, agent };
  }

  it('keeps its registration while the agent restarts, and while it is killed and started again', async () => {
    const instance = await instanceHere();
    const { fleet, agent } = await agentWith(instance);
    const [name] = await names(fleet);
    const before = await fleet.session.exists(LIST);
    await agent.restart();
    await agent.kill('SIGKILL');
    await agent.restart();
    await until('the agent is online', async () => (await fleet.session.children(fleet.znodes.online))?.length === 1);
    // Its registrations live on by the session that the first process made: longer than that session lasts by itself.
    await clock.sleep(17_000);
    expect(await names(fleet)).toEqual([name]);
    const after = await fleet.session.exists(LIST);
    expect(after?.pzxid).toBe(before?.pzxid);
    const file = join(agent.state, 'apps', fleet.app.slice(1).replaceAll('/', '+'), 'services-session.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await agent.log()).not.toContain(JSON.parse(await readFile(file, 'utf8')).password);
  });

  it('goes within 3 s when its port closes, and comes back when it opens', async () => {
    const instance = await instanceHere();
    const { fleet } = await agentWith(instance);
    const { services } = statusOutput.parse(JSON.parse((await fleet.run('status', '--json')).stdout));
    expect(services).toEqual([{ service: 'shop/web', instances: 1, least: 1, out: 0 }]);
    expect((await fleet.run('status')).stdout).toContain('  shop/web: 1 instance, floor 1\n');
    const closed = performance.now();
    await instance.stop();
    await until('it is gone', async () => (await names(fleet)).length === 0);
    expect(performance.now() - closed).toBeLessThan(3_000);
    await instance.start('a');
    await until('it is back', async () => (await names(fleet)).length === 1);
  });

  it('ends with its session where the agent is killed and stays away', async () => {
    const instance = await instanceHere();
    const { fleet, agent } = await agentWith(instance);
    await agent.kill('SIGKILL');
    await until('it is gone', async () => (await names(fleet)).length === 0);
  });

  it('is removed by the next process where the settings no longer name it', async () => {
    const instance = await instanceHere();
    const { fleet, agent } = await agentWith(instance);
    await agent.kill('SIGTERM');
    await fleet.startAgent('web-1', { args: ['--label', 'role=web'], settings: { agent: { services: [] } } });
    await until('it is gone', async () => (await names(fleet)).length === 0, 10_000);
  });
});

describe('programs that know nothing of gitfleet', () => {
  it('read what gitfleet registers, by index and by unpacking', async () => {
    const fleet = await fleetHere();
    const instance = await instanceHere();
    const args = ['service', 'register', 'shop/web', '-z', fleet.zookeeper, '--port', String(instance.port)];
    const registrar = start(process.execPath, [MAIN, ...args, '--host', instance.host]);
    await until('it is registered', async () => (await names(fleet)).length === 1);
    const reader = foreign(fleet, 'read', 'shop/web');
    expect(await reader.over).toBe(0);
    expect(reader.said()).toBe(`http://${instance.host}:${instance.port}\n`);
    registrar.child.kill('SIGTERM');
    expect(await registrar.over).toBe(0);
    expect(await names(fleet)).toEqual([]);
  });

  it('register instances that are listed, picked and written, also anew under the same name', async () => {
    const fleet = await fleetHere();
    const other = foreign(fleet, 'register', 'shop/web', 'anything', '10.1.2.3', '81');
    await until('it is registered', async () => other.said().includes('registered'));
    const cli = (...args: string[]) => gitfleet(['service', ...args, '-z', fleet.zookeeper]);
    const listed = instancesOutput.parse(JSON.parse((await cli('list', 'shop/web', '--json')).stdout));
    expect(listed).toMatchObject({ state: 'live', instances: [{ host: '10.1.2.3', port: 81, agent: null }] });
    expect(serviceNamesOutput.parse(JSON.parse((await cli('list', '--json')).stdout)).services).toContain('shop/web');
    expect(instanceOutput.parse(JSON.parse((await cli('pick', 'shop/web', '--json')).stdout)).port).toBe(81);
    expect(await cli('pick', 'shop/web')).toMatchObject({ exitCode: 0, stdout: '10.1.2.3:81\n' });
    const out = join(fleet.directory, 'servers.json');
    start(process.execPath, [
      MAIN,
      'service',
      'write',
      'shop/web',
      '-z',
      fleet.zookeeper,
      '--format',
      'json',
      '--out',
      out,
    ]);
    const written = () => readFile(out, 'utf8').catch(() => '');
    await until('it is written', async () => (await written()).includes('"port": 81'));
    other.child.stdin.write('82\n');
    await until('the new port is written', async () => (await written()).includes('"port": 82'));
    expect(JSON.parse(await written()).instances).toEqual([{ name: 'anything', host: '10.1.2.3', port: 82 }]);
    expect((await cli('pick', 'shop/web')).stdout).toBe('10.1.2.3:82\n');
    other.child.stdin.end();
    await other.over;
    await until('it is gone', async () => JSON.parse(await written()).instances.length === 0);
    expect(await cli('pick', 'shop/web')).toMatchObject({ exitCode: 1, stdout: '' });
  });

  it('and ZooKeeper away: the list comes from disk', async () => {
    const fleet = await fleetHere();
    const other = foreign(fleet, 'register', 'shop/web', 'one', '10.1.2.3', '81');
    await until('it is registered', async () => other.said().includes('registered'));
    const cache = ['--cache', fleet.directory];
    expect((await gitfleet(['service', 'pick', 'shop/web', '-z', fleet.zookeeper, ...cache])).stdout).toBe(
      '10.1.2.3:81\n',
    );
    const away = await gitfleet(['service', 'pick', 'shop/web', '-z', '127.0.0.1:9', ...cache]);
    expect(away).toMatchObject({ exitCode: 0, stdout: '10.1.2.3:81\n' });
    expect(away.stderr).toContain('s old');
  });
});

describe('an agent that uses a service', () => {
  it('keeps a file at its list, by the same code as service write, and answers it on its endpoint', async () => {
    const fleet = await fleetHere();
    const instance = await instanceHere();
    const [out, told] = [join(fleet.directory, 'shop.conf'), join(fleet.directory, 'told')];
    const port = await freePort();
    const check = ['sh', '-c', 'grep -q "server 10.1.2.3" "$GITFLEET_FILE" && exit 1 || exit 0'];
    const reload = ['sh', '-c', `echo reloaded >> ${told}`];
    const file = { service: 'shop/web', format: 'nginx' as const, out, check, reload };
    const agent = await fleet.startAgent('user-1', {
      settings: { agent: { serviceFiles: [file], listen: `127.0.0.1:${port}` } },
    });
    const text = () => readFile(out, 'utf8').catch(() => '');
    await until('the file is written before there is such a service', async () => (await text()).includes('down'));
    const args = ['service', 'register', 'shop/web', '-z', fleet.zookeeper, '--port', String(instance.port)];
    start(process.execPath, [MAIN, ...args, '--host', instance.host]);
    const server = `server ${instance.host}:${instance.port};`;
    await until('the instance is written', async () => (await text()).includes(server));
    // The reload follows the write.
    const reloads = () => readFile(told, 'utf8').catch(() => '');
    await until('the second reload', async () => (await reloads()).length >= 'reloaded\n'.length * 2);
    expect(await reloads()).toMatch(/^(reloaded\n){2}$/);
    const answer = await fetch(`http://127.0.0.1:${port}/v1/services/shop/web`);
    expect(await answer.json()).toMatchObject({ state: 'live', instances: [{ port: instance.port }] });
    const consumers = '/service-fleet/shop/web/consumers';
    await until('it is a consumer', async () => (await fleet.session.children(consumers))?.length === 1);
    const before = await text();
    const other = foreign(fleet, 'register', 'shop/web', 'bad', '10.1.2.3', '81');
    await until('the check refuses the next one', async () => (await agent.log()).includes('the check of'));
    expect(await text()).toBe(before);
    other.child.stdin.end();
    await other.over;
    // The file outlives the agent, and so does what it knows.
    await agent.kill('SIGKILL');
    expect(await text()).toBe(before);
    const lists = join(agent.state, 'apps', fleet.app.slice(1).replaceAll('/', '+'), 'lists');
    const [directory] = await readdir(lists);
    expect(JSON.stringify(await readCache(join(lists, String(directory)), 'shop/web'))).toContain(instance.host);
  });
});
