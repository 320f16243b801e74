import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePolicyFile } from '../schemas/settings/policy-file.ts';
import { parseReleaseFile } from '../schemas/settings/release-file.ts';
import { agentSettings, parseSettings } from '../schemas/settings/settings.ts';
import { parseSettingsFile } from '../schemas/settings/settings-file.ts';
import { mergeSettings } from '../schemas/settings/settings-sources.ts';
import { parseTarget } from '../schemas/target.ts';

const EXAMPLES = join(import.meta.dirname, '../examples');
const read = (name: string) => readFileSync(join(EXAMPLES, name), 'utf8');
const filesOf = (folder: string) => readdirSync(join(EXAMPLES, folder)).map((name) => `${folder}/${name}`);
const all = readdirSync(EXAMPLES, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(EXAMPLES.length + 1));

function settingsOf(name: string) {
  return parseSettings(
    mergeSettings({ flags: {}, environment: {}, file: parseSettingsFile(read(name), name) }),
    'the-host-name',
  );
}

describe('examples of settings', () => {
  it.each(filesOf('settings'))('%s is what the schema takes', (name) => {
    expect(settingsOf(name).zookeeper.connect).toContain('zk1.example.com');
  });

  it('of agents have a root, a prefix that may be fetched, and a credential for it', () => {
    for (const name of ['settings/web-server.yml', 'settings/coordinator.yml']) {
      const agent = agentSettings(settingsOf(name));
      expect(agent.credentials.map(({ prefix }) => prefix)).toEqual(agent.allowUrls);
      expect(agent.allowUrls).toHaveLength(1);
    }
  });

  it('give the credential of the coordinator to one of them alone', () => {
    const holders = filesOf('settings').filter((name) => settingsOf(name).coordinator.authFile !== undefined);
    expect(holders).toEqual(['settings/coordinator.yml']);
  });

  it('of a publisher name a target that the agent of the web server may fetch', () => {
    const { publisher } = settingsOf('settings/publisher.yml');
    const { url, relativePath } = publisher;
    const bytes = Buffer.from(JSON.stringify({ url, commitId: '9dbcdf1e'.repeat(5), relativePath }));
    const { allowUrls } = settingsOf('settings/web-server.yml').agent;
    expect(parseTarget(bytes, { allow: allowUrls })).toMatchObject({ ok: true });
  });
});

describe('examples of policies', () => {
  it.each(filesOf('policies'))('%s is what `policy set` takes', (name) => {
    expect(parsePolicyFile(read(name), name)).toBeTruthy();
  });

  it('say what their names say', () => {
    const policy = (name: string) => parsePolicyFile(read(`policies/${name}.yml`), name);
    expect(policy('canary-and-waves')).toMatchObject({ canary: 1, maxParallel: '25%', onFailure: 'rollback' });
    expect(policy('one-at-a-time')).toMatchObject({ maxParallel: 1, failureBudget: 0, onFailure: 'pause' });
    expect(policy('all-at-once')).toMatchObject({ maxParallel: '100%' });
    expect(policy('all-at-once').canary).toBeUndefined();
  });
});

describe('the other examples', () => {
  it('has a release file that agents and gates take', () => {
    expect(parseReleaseFile(read('release-file.yml'))).toMatchObject({ ok: true });
  });

  it('has a drop-in that sets no variable which the agent refuses', () => {
    const text = read('systemd/10-limits.conf');
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    for (const line of lines) expect(line).toMatch(/^\[(Unit|Service)\]$|^[A-Z]\w+=\S/);
    const variables = [...text.matchAll(/^Environment=(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]);
    expect(() => mergeSettings({ flags: {}, environment: Object.fromEntries(variables) })).not.toThrow();
  });

  it('are all in the list, and the list names no other', () => {
    const listed = [...read('README.md').matchAll(/^- \[([^\]]+)\]\(\1\)/gm)].map((match) => match[1]);
    expect(listed.toSorted()).toEqual(all.filter((name) => name !== 'README.md').toSorted());
  });
});
