import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { agentSettings, parseSettings } from '../schemas/settings/settings.ts';
import { mergeSettings } from '../schemas/settings/settings-sources.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

interface Service {
  image?: string;
  build?: string;
  hostname: string;
  ports?: string[];
  healthcheck?: { test: string[] };
  environment: Record<string, string>;
  volumes: string[];
  depends_on?: Record<string, { condition: string }>;
}
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, null>;
};
const { agent, ...rest } = compose.services as { agent: Service } & Record<string, Service>;
const servers = Object.entries(rest);

describe('the ensemble in docker-compose.yml', () => {
  it('is three ZooKeeper servers, each with a health check and volumes of its own', () => {
    expect(servers.map(([name]) => name)).toEqual(['zoo1', 'zoo2', 'zoo3']);
    for (const [name, server] of servers) {
      expect(server.image).toBe('zookeeper:3.8');
      expect(server.hostname).toBe(name);
      expect(server.healthcheck?.test).toEqual(['CMD', 'zkServer.sh', 'status']);
      expect(server.volumes).toEqual([`${name}-data:/data`, `${name}-log:/datalog`]);
    }
  });

  it('gives each server its number, and each the same list of all three', () => {
    const all = servers.map(([name], n) => `server.${n + 1}=${name}:2888:3888;2181`);
    servers.forEach(([, server], n) => {
      expect(server.environment['ZOO_MY_ID']).toBe(String(n + 1));
      expect(server.environment['ZOO_SERVERS']?.split(' ')).toEqual(all);
    });
  });

  it('publishes its ports on loopback only: it is open to whoever reaches it', () => {
    const ports = servers.flatMap(([, server]) => server.ports ?? []);
    expect(ports).toEqual(['127.0.0.1:2181:2181', '127.0.0.1:2182:2181', '127.0.0.1:2183:2181']);
  });

  it('declares every volume that is mounted, and no other', () => {
    const mounted = Object.values(compose.services).flatMap((service) =>
      service.volumes.map((each) => each.split(':')[0]),
    );
    expect(Object.keys(compose.volumes).toSorted()).toEqual(mounted.toSorted());
  });
});

describe('the agent in docker-compose.yml', () => {
  const settings = parseSettings(mergeSettings({ flags: {}, environment: agent.environment }), agent.hostname);

  it('has settings that the schema takes, all of them ours', () => {
    expect(Object.keys(agent.environment).filter((name) => !name.startsWith('GITFLEET_'))).toEqual([]);
    expect(agentSettings(settings)).toMatchObject({ id: 'web-1', root: '/srv/www', state: '/var/lib/gitfleet' });
    expect(settings.agent.allowUrls).not.toEqual([]);
  });

  it('connects to exactly the three servers, once they are healthy', () => {
    expect(settings.zookeeper.connect).toBe(servers.map(([name]) => `${name}:2181`).join(','));
    const healthy = servers.map(([name]) => [name, { condition: 'service_healthy' }]);
    expect(agent.depends_on).toEqual(Object.fromEntries(healthy));
  });

  it('keeps root and state in volumes', () => {
    const places = agent.volumes.map((volume) => volume.split(':')[1]);
    expect(places).toEqual([settings.agent.root, settings.agent.state]);
  });
});

describe('the Dockerfile', () => {
  const text = read('packaging/Dockerfile');

  it('builds from every folder that the build reads, and from no other of ours', () => {
    const { include } = JSON.parse(read('tsconfig.json')) as { include: string[] };
    const copied = [...text.matchAll(/^COPY (\w+) \1$/gm)].map((match) => match[1]);
    expect(copied.toSorted()).toEqual([...include, 'scripts'].toSorted());
  });

  it('runs the agent as somebody who is not root, in the directories of the volumes', () => {
    const last = text.slice(text.lastIndexOf('FROM '));
    expect(last).toMatch(/^USER node$/m);
    expect(last).toMatch(/^ENTRYPOINT \["tini", "--", "gitfleet"\]\nCMD \["agent", "run"\]$/m);
    for (const volume of agent.volumes)
      expect(last).toContain(`node --mode=07${volume.includes('state') ? '00' : '55'} ${volume.split(':')[1]}`);
  });
});
