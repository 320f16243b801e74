import { describe, expect, it } from 'vitest';
import { FleetError } from '../../runtime/errors.ts';
import { linkVariables } from '../../schemas/settings/link-variables.ts';
import { agentSettings, parseSettings, settings } from '../../schemas/settings/settings.ts';
import { parseSettingsFile } from '../../schemas/settings/settings-file.ts';
import { settingNames } from '../../schemas/settings/settings-problems.ts';
import { mergeSettings, SETTING_SOURCES, settingOrigins } from '../../schemas/settings/settings-sources.ts';

const HOST = 'web-1';
/** What systemctl would take for a pattern, an option, a path or several words, and the agent itself. */
const UNSAFE_UNITS = [
  ...['', 'shop', '.service', '*.service', 'shop?.service', '[ab].service', '-H.service', '--force.service'],
  ...['../shop.service', '/etc/shop.service', 'a b.service', 'a.service b.service', 'a\nb.service', 'a;b.service'],
  ...['shop.timer', 'shop.service/', '@1.service', 'a@.service', 'a@b@c.service', 'a@\\x2.service', 'ü.service'],
  ...[`${'a'.repeat(250)}.service`, 'gitfleet-agent.service'],
];

const connect = { zookeeper: { connect: 'zk1:2181' } };
const parse = (raw: Record<string, unknown>) => parseSettings({ ...connect, ...raw }, HOST);

/** The words of the SETTINGS failure that `action` ends with. */
function complaint(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(FleetError);
    expect(error).toMatchObject({ code: 'SETTINGS', next: 'stall', hint: expect.stringContaining('docs/settings.md') });
    return (error as FleetError).message;
  }
  throw new Error('accepted');
}

it('without a connect string the hint names the flag and the variable', () => {
  const hint = 'name the ZooKeeper servers: -z HOSTS or GITFLEET_ZOOKEEPER; docs/settings.md lists every setting';
  expect(() => parseSettings({}, HOST)).toThrow(expect.objectContaining({ hint }));
});

it('what is wrong is said in words of a person, with the value where it may have come from elsewhere', () => {
  for (const [raw, words] of [
    [{ zookeeper: 'zk1:2181' }, 'zookeeper: is no list of settings such as connect and sessionTimeout'],
    [{ zookeeper: { connect: 'zk1;zk2' } }, 'zookeeper.connect: must be hosts such as .*; not "zk1;zk2"'],
    [{ app: 'shop' }, 'app: must be a znode such as /app/business; not "shop"'],
    [{ agent: { keepReleases: 0 } }, 'agent.keepReleases: must be at least 1'],
    [{ agent: { keepReleases: 9_999 } }, 'agent.keepReleases: must be at most 1000'],
    [{ agent: { keepReleases: 1.5 } }, 'agent.keepReleases: must be a whole number'],
    [{ agent: { drift: 'mend' } }, 'agent.drift: must be observe or heal'],
    [{ agent: { labels: 'web' } }, 'agent.labels: must be names with a value each'],
    [{ agent: { allowUrls: 'https://h' } }, 'agent.allowUrls: must be a list'],
    [{ agent: { credentials: [{}] } }, 'agent.credentials.0.prefix: must be a prefix such as'],
  ] as const) {
    expect(complaint(() => parse(raw))).toMatch(new RegExp(`^${words}`));
  }
});

it('one directory for root and state is called one', () => {
  const agent = { root: '/nope', state: '/nope' };
  expect(complaint(() => parse({ agent }))).toContain('must be two different directories');
});

describe('defaults', () => {
  it('are these', () => {
    expect(parse({ agent: null })).toEqual(parse({}));
    expect(parse({})).toEqual({
      zookeeper: { connect: 'zk1:2181', sessionTimeout: 15_000 },
      app: '/app/business',
      agent: {
        id: HOST,
        state: '/var/lib/gitfleet',
        labels: {},
        allowUrls: [],
        verify: { target: 'off', reachableFrom: [], commit: 'off' },
        credentials: [],
        restart: [],
        restartTimeout: 120_000,
        services: [],
        serviceFiles: [],
        shared: [],
        passEnvironment: [],
        allowRepositorySteps: false,
        objects: 'origin',
        fetchLeases: 16,
        keepReleases: 5,
        keepFailedReleases: 2,
        releaseGrace: 3_600_000,
        resyncInterval: 60_000,
        verifyInterval: 600_000,
        drift: 'observe',
        generated: [],
        content: { submodules: 'refuse', lfs: 'refuse', symlinks: 'contained', maxEntries: 200_000 },
        fetch: { stallTimeout: 30_000, timeout: 900_000 },
      },
      coordinator: { candidate: true },
      publisher: { timeout: 300_000, bundle: false, bundleInClear: false },
      serve: {
        listen: { host: '127.0.0.1', port: 9181 },
        hosts: [],
        webhooks: { listen: { host: '127.0.0.1', port: 9182 }, installations: [] },
        links: [],
        notify: [],
        forges: [],
        silentAfter: 600_000,
      },
      log: { level: 'info', format: 'auto' },
    });
  });

  it('are none for the ensemble, and none for the root', () => {
    expect(complaint(() => parseSettings({}, HOST))).toMatch(/^zookeeper.connect: is missing/);
    expect(() => agentSettings(parse({}))).toThrow(/agent.root is missing/);
    expect(agentSettings(parse({ agent: { root: '/srv/www' } })).root).toBe('/srv/www');
  });

  it('are no way around a host name that is no plain name', () => {
    expect(complaint(() => parseSettings(connect, 'host name').agent)).toMatch(/^agent.id: must be a plain name/);
  });
});

describe('a wrong setting', () => {
  it.each([
    [{ agnet: {} }, 'unknown setting "agnet": did you mean agent?'],
    [{ agent: { allowUrl: [] } }, 'unknown setting "agent.allowUrl": did you mean allowUrls?'],
    [{ agent: { allow_urls: [] } }, 'unknown setting "agent.allow_urls": did you mean allowUrls?'],
    [{ root: '/srv' }, 'unknown setting "root": did you mean agent.root?'],
    [{ agent: { credentials: [{ prefix: 'ssh://h', sshKey: '/k' }] } }, 'did you mean sshKeyFile?'],
    [{ agent: { frobnicate: 1 } }, /unknown setting "agent.frobnicate"$/],
    [{ zookeeper: { connect: 'a', password: 'x' } }, 'unknown setting "zookeeper.password"'],
  ])('%j is told: %s', (raw, words) => {
    expect(complaint(() => parse(raw as Record<string, unknown>))).toMatch(words);
  });

  it.each([
    { app: 'app' },
    { app: '/app/' },
    { app: '/app/../x' },
    { agent: [] },
    { agent: { id: 'a b' } },
    { agent: { root: 'relative' } },
    { agent: { root: '/' } },
    { agent: { root: '/a\u0000b' } },
    { agent: { root: '/same', state: '/same/' } },
    { agent: { labels: { 'a,b': 'x' } } },
    { agent: { labels: { role: 1 } } },
    { agent: { allowUrls: ['https://*'] } },
    { agent: { allowUrls: ['https://u:c4nary@h'] } },
    { agent: { allowUrls: 'https://h' } },
    { agent: { credentials: [{ prefix: 'https://h' }] } },
    { agent: { credentials: [{ prefix: 'https://h', sshKeyFile: '/k' }] } },
    { agent: { credentials: [{ prefix: 'ssh://h', tokenFile: '/k' }] } },
    { agent: { credentials: [{ prefix: 'ssh://h', proxy: 'http://p:3128' }] } },
    { agent: { credentials: [{ prefix: 'https://h', proxy: 'http://p' }] } },
    { agent: { credentials: [{ prefix: 'https://h', proxy: 'http://u:secret@p:3128' }] } },
    { agent: { credentials: [{ prefix: 'https://h', proxy: 'ext::sh' }] } },
    { agent: { credentials: [{ prefix: 'ssh://h', sshKeyFile: 'k' }] } },
    {
      agent: {
        credentials: [
          { prefix: 'ssh://h', sshKeyFile: '/k' },
          { prefix: 'ssh://h', sshKeyFile: '/l' },
        ],
      },
    },
    { agent: { activate: { command: 'reload' } } },
    { agent: { activate: { command: [] } } },
    { agent: { activate: { command: [''] } } },
    { agent: { activate: { timeout: '5s' } } },
    { agent: { restart: 'shop.service' } },
    ...UNSAFE_UNITS.map((unit) => ({ agent: { restart: [unit] } })),
    { agent: { restart: ['a.service', 'a.service'] } },
    { agent: { restartTimeout: '0s' } },
    { agent: { keepReleases: 0 } },
    { agent: { keepReleases: 1.5 } },
    { agent: { keepReleases: '5' } },
    { agent: { releaseGrace: 60 } },
    { agent: { releaseGrace: '60' } },
    { agent: { resyncInterval: '0s' } },
    { agent: { resyncInterval: '2h' } },
    { zookeeper: { connect: 'a', sessionTimeout: '1s' } },
    { zookeeper: { connect: 'a', tls: { certFile: '/c' } } },
    { log: { level: 'loud' } },
  ])('%j is refused, by name and without secrets', (raw) => {
    const words = complaint(() => parse(raw as Record<string, unknown>));
    expect(words).toMatch(/^(app|agent|zookeeper|log)/);
    expect(words).not.toContain('c4nary');
  });

  it.each(['', ' ', ':2181', 'h:x', 'h:0', 'h:70000', 'h:2181/../x', 'h,,i', 'h i', `h${',h'.repeat(10_000)}`])(
    'the connect string %j is refused',
    (text) =>
      expect(complaint(() => parseSettings({ zookeeper: { connect: text } }, HOST))).toMatch(/^zookeeper.connect: /),
  );

  it.each(['h', 'h:2181', 'h1:1,h2:2,h_3', '[::1]:2181', '10.0.0.1:2181/apps/one', 'h/', 'h1, h2'])(
    'the connect string %j is legal',
    (text) => expect(parseSettings({ zookeeper: { connect: text } }, HOST).zookeeper.connect).toBe(text),
  );

  it('never buries the reader: five problems of 200 characters', () => {
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`${'k'.repeat(300)}${n}`, 1]));
    expect(complaint(() => parse(many)).length).toBeLessThan(1_024);
  });
});

describe('mergeSettings', () => {
  const file = {
    app: '/app/file',
    agent: { root: '/file', labels: { role: 'file', zone: 'a' }, allowUrls: ['https://f'] },
  };
  const environment = { GITFLEET_APP: '/app/env', GITFLEET_ROOT: '/env', PATH: '/bin', HOME: undefined };
  const flags = { app: '/app/flag', json: true, detach: undefined, allowUrl: ['https://x', 'https://y'] };

  it('takes flags over variables over the file, setting by setting', () => {
    expect(mergeSettings({ flags, environment, file })).toEqual({
      app: '/app/flag',
      agent: { root: '/env', labels: { role: 'file', zone: 'a' }, allowUrls: ['https://x', 'https://y'] },
    });
    expect(mergeSettings({ flags: {}, environment: {}, file })).toEqual(file);
    expect(file.agent.root).toBe('/file');
  });

  it('takes a file that was named on the command line over variables, which fill what it leaves out', () => {
    const sources = { flags: { app: '/app/flag' }, environment: { ...environment, GITFLEET_ID: 'env' }, file };
    expect(mergeSettings({ ...sources, fileIsFlag: true })).toEqual({
      ...file,
      app: '/app/flag',
      agent: { ...file.agent, id: 'env' },
    });
    const nothing = { app: null, agent: { root: null } };
    const { agent } = mergeSettings({ flags: {}, environment, file: nothing, fileIsFlag: true });
    expect(agent).toEqual({ root: '/env' });
  });

  it('says where each setting comes from, and which variable does not count', () => {
    const sources = { flags: { app: '/app/flag', allowUrl: ['https://x'] }, environment, file };
    const told = (fileIsFlag: boolean) =>
      Object.fromEntries(
        settingOrigins({ ...sources, fileIsFlag }).map(({ setting, from, name, ignored }) => [
          setting,
          [from, name, ignored],
        ]),
      );
    const same = {
      app: ['flag', '--app', null],
      'agent.allowUrls': ['flag', '--allow-url', null],
      'agent.labels': ['file', '', null],
    };
    expect(told(false)).toEqual({ ...same, 'agent.root': ['variable', 'GITFLEET_ROOT', null] });
    expect(told(true)).toEqual({ ...same, 'agent.root': ['file', '', 'GITFLEET_ROOT'] });
  });

  it('reads lists, labels, numbers and programs from one variable each', () => {
    const merged = mergeSettings({
      flags: {},
      environment: {
        GITFLEET_ALLOW_URL: 'https://a, https://b https://c',
        GITFLEET_LABEL: 'role=web,zone=b=c,empty=',
        GITFLEET_KEEP_RELEASES: '7',
        GITFLEET_KEEP_FAILED_RELEASES: 'many',
        GITFLEET_ACTIVATE: '/usr/local/bin/my reload',
        GITFLEET_STATE: '',
      },
    });
    expect(merged).toEqual({
      agent: {
        allowUrls: ['https://a', 'https://b', 'https://c'],
        labels: { role: 'web', zone: 'b=c', empty: '' },
        keepReleases: 7,
        keepFailedReleases: 'many',
        activate: { command: ['/usr/local/bin/my reload'] },
      },
    });
  });

  it('means relative paths of flags and variables from the working directory, those of the file not at all', () => {
    const merged = mergeSettings({
      flags: { root: 'www' },
      environment: { GITFLEET_STATE: '../state' },
      file: {},
      directory: '/home/ann',
    });
    expect(merged).toEqual({ agent: { root: '/home/ann/www', state: '/home/state' } });
    expect(complaint(() => parse({ agent: { root: 'www' } }))).toContain('absolute');
  });

  it('passes over what Kubernetes and Docker set for a service of our name, and nothing else', () => {
    const environment = {
      GITFLEET_SERVICE_HOST: '10.0.0.1',
      GITFLEET_AGENT_SERVICE_PORT: '9180',
      GITFLEET_AGENT_SERVICE_PORT_METRICS: '9180',
      GITFLEET_PORT: 'tcp://10.0.0.1:9180',
      GITFLEET_AGENT_PORT_9180_TCP: 'tcp://10.0.0.1:9180',
      GITFLEET_AGENT_PORT_9180_TCP_ADDR: '10.0.0.1',
      GITFLEET_AGENT_PORT_9180_TCP_PROTO: 'tcp',
      GITFLEET_NAME: '/web-1/gitfleet',
      GITFLEET_ENV_LANG: 'C',
      GITFLEET_ID: 'web-1',
    };
    expect(mergeSettings({ flags: {}, environment })).toEqual({ agent: { id: 'web-1' } });
    expect(linkVariables(environment)).toHaveLength(9);
    for (const [name, value] of [
      ['GITFLEET_PORT', '9180'],
      ['GITFLEET_NAME', 'web-1'],
      ['GITFLEET_ENV_LANG', 'C'],
      ['GITFLEET_SERVICE', 'x'],
    ] as const) {
      const merge = () => mergeSettings({ flags: {}, environment: { [name]: value } });
      expect(complaint(merge)).toContain(`unknown variable "${name}"`);
    }
  });

  it('refuses an unknown variable, naming the nearest', () => {
    const merge = (name: string) => complaint(() => mergeSettings({ flags: {}, environment: { [name]: 'x' } }));
    expect(merge('GITFLEET_ZOOKEPER')).toBe('unknown variable "GITFLEET_ZOOKEPER": did you mean GITFLEET_ZOOKEEPER?');
    expect(merge('GITFLEET_ALLOW_URLS')).toContain('GITFLEET_ALLOW_URL?');
    expect(merge('GITFLEET_XYZZY')).toBe('unknown variable "GITFLEET_XYZZY"');
  });

  it('refuses a file that is no mapping, and a label that is no pair', () => {
    expect(complaint(() => mergeSettings({ flags: {}, environment: {}, file: ['x'] }))).toContain('no mapping');
    expect(complaint(() => mergeSettings({ flags: { label: ['web'] }, environment: {} }))).toContain('--label: "web"');
  });

  it('leaves a file that has text where a section belongs for the schema to refuse', () => {
    const merged = mergeSettings({ flags: { root: '/srv' }, environment: {}, file: { agent: 'x' } });
    expect(complaint(() => parse(merged))).toMatch(/^agent: /);
  });

  it('knows a source for every setting but those that only the file has: lists of sections, and steps', () => {
    const named = SETTING_SOURCES.map((row) => row.setting);
    const ofTheFile =
      /^agent\.(credentials|services|serviceFiles|prepare|preActivate|onRollback|onFailure|health|allowRepositorySteps|verify\.reachableFrom)|^coordinator\.candidate|^serve\.(links|notify|forges|silentAfter|webhooks)/;
    const settable = settingNames(settings()).filter((name) => !ofTheFile.test(name));
    expect(named.toSorted()).toEqual(settable.toSorted());
    expect(new Set(SETTING_SOURCES.map((row) => row.variable)).size).toBe(named.length);
  });
});

describe('parseSettingsFile', () => {
  const read = (text: string) => parseSettingsFile(text, 'gitfleet.yml');

  it('reads YAML, and a section without content as absent', () => {
    expect(read('app: /app/shop\nagent:\n')).toEqual({ app: '/app/shop', agent: null });
    expect(mergeSettings({ flags: {}, environment: {}, file: read('agent:\nlog:\n  level:\n') })).toEqual({ log: {} });
    expect(mergeSettings({ flags: {}, environment: {}, file: read('# nothing\n') })).toEqual({});
  });

  it.each([
    'app: /a\napp: /b',
    'a: [',
    'a: !!binary aGk=',
    'a: !secret c4nary',
    'a: &x [c4nary]\nb: *x',
    'a: 1\n---\nb: 2',
    '\tapp: /a',
    'a: "c4nary',
    'x'.repeat(300_000),
  ])('refuses %#, and quotes nothing of it', (text) => {
    const words = complaint(() => read(text));
    expect(words).toMatch(/^"gitfleet.yml": /);
    expect(words).not.toContain('c4nary');
  });
});
