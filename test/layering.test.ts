import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeOf, type Import, importsOf, readSource as read, sourcesOf } from './support/lanes/imports.ts';

/** Which folders a folder may import, besides itself. docs/design.md, section 5, in one table. */
const MAY_IMPORT: Record<string, string[]> = {
  runtime: [],
  schemas: ['runtime'],
  zookeeper: ['runtime'],
  library: ['runtime', 'schemas', 'zookeeper', 'fleet', 'services'],
  git: ['runtime'],
  fleet: ['runtime', 'schemas', 'zookeeper'],
  services: ['runtime', 'schemas', 'zookeeper', 'fleet'],
  agent: ['runtime', 'schemas', 'zookeeper', 'git', 'fleet', 'services'],
  publisher: ['runtime', 'schemas', 'zookeeper', 'git', 'fleet'],
  hooks: ['runtime', 'schemas', 'zookeeper', 'git', 'fleet'],
  rollout: ['runtime', 'schemas', 'zookeeper', 'fleet'],
  serve: ['runtime', 'schemas', 'zookeeper', 'git', 'fleet', 'services', 'publisher', 'hooks', 'rollout'],
  cli: [
    'runtime',
    'schemas',
    'zookeeper',
    'git',
    'fleet',
    'services',
    'agent',
    'publisher',
    'hooks',
    'rollout',
    'serve',
  ],
};

/** The one file of schemas/ that mechanisms may know: value types without behaviour. */
const VALUE_TYPES = 'schemas/values.ts';

/** A package that only these folders may know, and why. */
const OWNED: Record<string, { folders: string[]; reason: string }> = {
  'node-zookeeper-client': {
    folders: ['zookeeper'],
    reason: 'the client lies about its state; only zookeeper/ looks behind our Session',
  },
  'simple-git': { folders: ['git'], reason: 'only git/ builds git command lines, so that one place is to be checked' },
  pino: { folders: ['runtime'], reason: 'runtime/log.ts redacts; a second logger would not' },
  commander: { folders: ['cli'], reason: 'only entries read argv' },
  yaml: { folders: ['cli', 'schemas'], reason: 'settings files are read by entries' },
  preact: { folders: ['serve'], reason: 'part of the page; nothing that runs on Node needs it' },
  htm: { folders: ['serve'], reason: 'part of the page; nothing that runs on Node needs it' },
  '@openfeature/server-sdk': {
    folders: ['library'],
    reason: 'an optional peer: only who imports gitfleet/openfeature has it',
  },
  'node:child_process': {
    folders: ['runtime', 'git', 'zookeeper', 'cli'],
    reason:
      'processes are started by runtime/process.ts (group kill, bounded output) or by what owns a long-lived child',
  },
};

/** Empty when the import is legal, else the reason why it is not. */
function violation(file: string, imported: string): string {
  const from = file.split('/')[0] as string;
  const owned = OWNED[imported];
  if (owned && !owned.folders.includes(from)) return owned.reason;
  const to = imported.split('/')[0] as string;
  if (!(to in MAY_IMPORT) || to === from) return '';
  if (imported === VALUE_TYPES && (from === 'git' || from === 'zookeeper')) return '';
  if (MAY_IMPORT[from]?.includes(to)) return '';
  return `${from}/ may import ${MAY_IMPORT[from]?.join(', ') || 'nothing of ours'}: imports point down the layers only`;
}

interface Wall {
  /** The rooms of the same folder that this room may import, besides itself. */
  readonly may: readonly string[];
  /** Rooms of which it may take types alone. */
  readonly types?: readonly string[];
  readonly reason: string;
}

const TOP = (folder: string) => `the files of ${folder} itself, which no room imports back`;

/** The rooms of each folder that has some, lowest first, and why each stands where it does. */
const ROOMS: Readonly<Record<string, Wall>> = {
  'runtime/codes': { may: [], reason: 'a table; errors are made of it, not by it' },
  'runtime/secrets': { may: ['runtime'], reason: 'files with secrets; nothing else of runtime needs them' },
  runtime: { may: ['runtime/codes'], reason: TOP('runtime') },

  'schemas/text': { may: [], reason: 'how text is read and written, whatever it says' },
  schemas: {
    may: ['schemas/text', 'schemas/settings', 'schemas/records', 'schemas/signed'],
    reason: 'the contract; steps and gitfleet.yml are settings too, so both sides know each other, file by file',
  },

  'schemas/records': {
    may: ['schemas/text', 'schemas'],
    reason: 'what is written once and chained; deployments and words of people are of the contract, file by file',
  },

  'schemas/signed': {
    may: ['schemas/text', 'schemas'],
    reason: 'what is signed of a target; a target carries it without reading it',
  },

  'schemas/settings': {
    may: ['schemas/text', 'schemas', 'schemas/signed'],
    reason: 'settings are checked with the rules of the contract',
  },

  'zookeeper/wire': { may: [], reason: 'one TCP connection; it does not know what a session is for' },
  'zookeeper/local': { may: ['zookeeper/wire'], reason: 'servers for trials and tests: no client needs them' },
  zookeeper: { may: ['zookeeper/wire'], reason: 'the session; it does not know what is built on it' },
  'zookeeper/recipes': { may: ['zookeeper'], reason: 'what is built on a session alone, never on a connection' },

  library: { may: [], reason: 'the public face: no verb and no daemon takes part, and none of them needs it' },

  'git/run': { may: [], reason: 'git as a child process; it does not know what is asked of it' },
  'git/objects': { may: ['git/run'], reason: 'reads objects wherever they lie' },
  'git/repository': {
    may: ['git/run', 'git/objects'],
    reason: 'the store; what is made of its commits is not its matter',
  },
  'git/worktree': {
    may: ['git/run', 'git/objects', 'git/repository'],
    reason: 'from the store to files; blind to how objects came into it and to other hosts',
  },
  'git/local-copy': {
    may: ['git/run', 'git/objects', 'git/repository'],
    reason: 'a short cut for one kind of origin: all works without it',
  },
  'git/ssh': { may: [], reason: 'ssh-keygen as a child process: a signature is none of git, nor of a repository' },
  'git/host': {
    may: ['git/run', 'git/objects', 'git/repository'],
    reason: 'repositories that are not ours: nothing of the store or of a work tree takes part',
  },
  git: {
    may: ['git/run', 'git/objects', 'git/repository', 'git/worktree', 'git/local-copy', 'git/host'],
    reason: TOP('git'),
  },

  'fleet/records': { may: ['fleet'], reason: 'proves what was written; nothing that writes depends on it' },
  'fleet/flags': { may: ['fleet'], reason: 'flags stand beside deployments: no way back of code may depend on them' },
  'fleet/enrolment': { may: ['fleet'], reason: 'what it writes has the rights and bounds of all other writes' },
  fleet: { may: ['fleet/enrolment'], reason: 'flags stand beside deployments: no way back of code may depend on them' },

  services: { may: [], reason: 'rules and recipes; where a list is written is not their matter' },
  'services/write': { may: ['services'], reason: 'from a list to files and proxies, one way' },

  'agent/state': { may: [], reason: 'what is remembered says what happened, and does not know who decides by it' },
  'agent/disk': { may: ['agent/state'], reason: 'where things lie; does not run anything' },
  'agent/steps': {
    may: ['agent/state', 'agent/disk'],
    reason: 'the commands of the operator; they do not know the loop',
  },
  'agent/door': { may: ['agent/state'], reason: 'what a target has to pass; it does not know what is done with it' },
  'agent/coordination': {
    may: ['agent/state', 'agent/door', 'agent/disk', 'agent/steps'],
    reason: 'what rides on the session tells the loop, and does not reach into it',
  },
  'agent/services': {
    may: ['agent/state', 'agent/disk', 'agent/steps'],
    reason: 'in and out of the lists; when, is for the loop to say',
  },
  agent: {
    may: ['agent/state', 'agent/door', 'agent/disk', 'agent/steps', 'agent/coordination', 'agent/services'],
    reason: 'the loop; it works without those who listen to it (service) and without the verbs on a server (local)',
  },
  'agent/service': {
    may: [],
    types: ['agent/state', 'agent/disk', 'agent/steps', 'agent/coordination', 'agent'],
    reason: 'listeners only: nothing that they do may be felt by the loop, and cli/daemon alone connects them',
  },
  'agent/local': {
    may: ['agent/state', 'agent/disk', 'agent/steps', 'agent'],
    reason: 'verbs on a server, with both networks cut: nothing of the session takes part',
  },

  publisher: { may: [], reason: 'acts end in values, which any screen can show' },
  'publisher/screens': { may: ['publisher'], reason: 'screens show what an act resolves to, and are not asked by it' },

  'serve/api': { may: [], reason: 'shapes: what is sent, whoever makes it' },
  'serve/picture': { may: ['serve/api'], reason: 'one reader of the shared state; it does not know who looks' },
  'serve/metrics': { may: ['serve/api', 'serve/picture'], reason: 'made from the picture, and asked by a scrape' },
  'serve/http': {
    may: ['serve/api', 'serve/picture'],
    reason: 'answers from the picture alone; what it serves besides is handed in',
  },
  'serve/page/model': { may: [], types: ['serve/api'], reason: 'what the page decides; it knows no browser' },
  'serve/page/stream': { may: [], reason: 'how the page listens, whatever is said' },
  'serve/page/views': {
    may: ['serve/page/model'],
    types: ['serve/api'],
    reason: 'a state drawn; it knows nothing of where the state comes from',
  },
  'serve/page': {
    may: ['serve/page/model', 'serve/page/stream', 'serve/page/views'],
    types: ['serve/api'],
    reason: 'the page runs in a browser: it takes the shapes of the API as types, and nothing that needs Node',
  },
  'serve/tell/sinks': {
    may: ['serve/tell', 'serve/forges'],
    reason: 'how a message gets to one kind of receiver; which messages there are is not its matter',
  },
  'serve/tell': { may: ['serve/forges'], reason: 'from states to messages; it knows no receiver' },
  'serve/webhooks': { may: ['serve/forges'], reason: 'from deliveries to publishes; it shows and tells nothing' },
  'serve/forges': { may: [], reason: 'the REST of forges; it knows neither who asks nor what is deployed' },

  'cli/shell': { may: [], reason: 'the process and its terminal; does not know which verb runs' },
  'cli/ground': { may: ['cli/shell'], reason: 'what all verbs share, and what has to lie beside the one script' },
  'cli/deploy': {
    may: ['cli/shell', 'cli/ground'],
    reason: 'verbs are loaded one by one, so they do not import each other',
  },
  'cli/flags': {
    may: ['cli/shell', 'cli/ground'],
    reason: 'verbs are loaded one by one, so they do not import each other',
  },
  'cli/setup': {
    may: ['cli/shell', 'cli/ground', 'cli/zk'],
    reason: 'the demo runs servers as `zk up` does, one way',
  },
  'cli/manual': {
    may: ['cli/shell', 'cli/ground'],
    reason: 'what is made of the command table; no verb is run for it',
  },
  'cli/doctor': {
    may: ['cli/shell', 'cli/ground'],
    reason: 'verbs are loaded one by one, so they do not import each other',
  },
  'cli/serve': {
    may: ['cli/shell', 'cli/ground', 'cli/deploy'],
    reason: 'the composition of the server; webhooks publish as the publish verb does, one way',
  },
  'cli/service': {
    may: ['cli/shell', 'cli/ground'],
    reason: 'verbs are loaded one by one, so they do not import each other',
  },
  'cli/zk': {
    may: ['cli/shell', 'cli/ground'],
    reason: 'verbs are loaded one by one, so they do not import each other',
  },
  'cli/guarded': { may: ['cli/shell', 'cli/ground'], reason: 'a command under a lock needs nothing of the deployer' },
  'cli/daemon': { may: ['cli/shell', 'cli/ground'], reason: 'the composition of the agent is no part of another verb' },
  'cli/server': {
    may: ['cli/shell', 'cli/ground', 'cli/daemon'],
    reason: 'the verbs of a server open the same directories as the daemon there, one way',
  },
  'cli/hook': { may: ['cli/shell', 'cli/ground', 'cli/deploy'], reason: 'a push follows what it published, one way' },
  cli: {
    may: ['cli/shell', 'cli/ground', 'cli/zk'],
    reason: 'the table loads each verb when it is called, and only then',
  },
};

/** Files that lie in `cli/` because they look for their neighbours from there, or that all verbs share. */
const GROUND = ['command-table', 'version', 'own-command', 'packaging-files'].map((name) => `cli/${name}.ts`);

const roomOf = (file: string): string => (GROUND.includes(file) ? 'cli/ground' : dirname(file));

/** Empty when nothing stands between these two files of one folder, else why something does. */
function wallBetween(file: string, { of, kind }: Import): string {
  const [from, to] = [roomOf(file), roomOf(of)];
  if (from === to || from.split('/')[0] !== to.split('/')[0] || kind === 'lazy') return '';
  const wall = ROOMS[from];
  if (!wall) return `${from} is no room that this test knows: say what it may import, and why`;
  if (wall.may.includes(to) || (kind === 'type' && wall.types?.includes(to))) return '';
  return wall.reason;
}

interface Remaining {
  readonly file: string;
  readonly of: readonly string[];
  readonly why: string;
}

/** Walls that are not true yet, import by import. An entry that is no longer needed fails the test: remove it. */
const NOT_YET: readonly Remaining[] = [
  { file: 'schemas/text/strict-json.ts', of: ['schemas/refusal.ts'], why: 'it refuses in the words of the contract' },
];

const sources = (): string[] => sourcesOf(Object.keys(MAY_IMPORT));

describe('layers', () => {
  it('has only imports that point down', () => {
    const found = sources().flatMap((file) =>
      importsOf(file, read(file)).flatMap(({ of }) => {
        const why = violation(file, of);
        return why ? [`${file} imports ${of}: ${why}`] : [];
      }),
    );
    expect(found).toEqual([]);
    expect(sources().length).toBeGreaterThan(20);
  });

  it('names the reason for a forbidden import', () => {
    expect(violation('git/store.ts', 'zookeeper/session.ts')).toContain('imports point down');
    expect(violation('agent/agent.ts', 'node-zookeeper-client')).toContain('lies about its state');
    expect(violation('agent/agent.ts', 'publisher/publish.ts')).toContain('imports point down');
    expect(violation('git/store.ts', 'schemas/target.ts')).toContain('imports point down');
    expect(violation('git/store.ts', 'schemas/values.ts')).toBe('');
    const text = "import { a } from '../fleet/a.ts';\nimport type { T } from 'zod';\nconst b = () => import('./b.ts');";
    expect(importsOf('agent/agent.ts', text)).toEqual([
      { of: 'fleet/a.ts', kind: 'value' },
      { of: 'zod', kind: 'type' },
      { of: 'agent/b.ts', kind: 'lazy' },
    ]);
  });

  it('has rooms whose walls hold, but for what is listed', () => {
    const found = sources().flatMap((file) =>
      importsOf(file, read(file)).flatMap((imported) => {
        const why = wallBetween(file, imported);
        return why ? [{ through: `${file} imports ${imported.of}`, why }] : [];
      }),
    );
    const listed = NOT_YET.flatMap(({ file, of }) => of.map((each) => `${file} imports ${each}`));
    const news = found.filter(({ through }) => !listed.includes(through));
    expect(news.map(({ through, why }) => `${through}: ${why}`)).toEqual([]);
    const needed = found.map(({ through }) => through);
    expect(listed.filter((each) => !needed.includes(each))).toEqual([]);
  });

  it('lets listeners take types of the loop and no values, and verbs load each other in one direction', () => {
    const plan = { of: 'agent/plan.ts', kind: 'type' } as const;
    expect(wallBetween('agent/service/metrics.ts', plan)).toBe('');
    expect(wallBetween('agent/service/metrics.ts', { ...plan, kind: 'value' })).toContain('listeners only');
    expect(wallBetween('agent/agent.ts', { of: 'agent/service/metrics.ts', kind: 'type' })).toContain('listen to it');
    expect(wallBetween('agent/state/journal.ts', plan)).toContain('who decides by it');
    const daemon = { of: 'cli/daemon/run.ts', kind: 'value' } as const;
    expect(wallBetween('cli/server/verify.ts', daemon)).toBe('');
    expect(wallBetween('cli/verbs-agent.ts', daemon)).toContain('when it is called');
    expect(wallBetween('cli/verbs-agent.ts', { ...daemon, kind: 'lazy' })).toBe('');
    expect(wallBetween('cli/daemon/run.ts', { of: 'cli/server/verify.ts', kind: 'value' })).toContain('no part');
    expect(wallBetween('cli/attic/a.ts', daemon)).toContain('no room that this test knows');
  });

  it('keeps argv, environment and exit in the entries', () => {
    const found = sources()
      .filter((file) => !file.startsWith('cli/') && !file.startsWith('runtime/'))
      .filter((file) => /\bprocess\.(argv|env|exit|exitCode|stdout|stderr|stdin|on)\b/.test(read(file)));
    expect(found).toEqual([]);
  });

  it('makes a target that an agent acts on in its parser alone', () => {
    const cast = /\bas (AllowedTarget|KeptTarget|JudgedTarget|RepositoryUrl|RelativePath)\b/g;
    const found = sources()
      .filter((file) => file.startsWith('agent/') || file.startsWith('schemas/') || file === 'cli/daemon/fleet-side.ts')
      .flatMap((file) => (read(file).match(cast) ?? []).map((each) => `${file}: ${each}`))
      .sort();
    expect(found).toEqual([
      'agent/local/adopt.ts: as RepositoryUrl', // The clone that a person on this server names, of its own directory.
      'schemas/relative-path.ts: as RelativePath',
      'schemas/target.ts: as AllowedTarget',
      'schemas/target.ts: as KeptTarget',
      'schemas/url.ts: as RepositoryUrl',
    ]);
  });

  it('lets only the door, and a person on the server, allow a target', () => {
    const callers = sources().filter((file) => /\ballowTarget\b/.test(read(file)) && file !== 'schemas/target.ts');
    expect(callers).toEqual(['agent/door/door.ts', 'agent/local/adopt.ts']);
  });

  it('prints JSON through the one door that escapes what hides itself', () => {
    const raw = sources().filter((file) => file.startsWith('cli/') && /\bsay\(\s*JSON\.stringify/.test(read(file)));
    expect(raw).toEqual([]);
  });

  it('takes clock and chance as arguments outside runtime/', () => {
    const taken = /\b(Date\.now\(|new Date\(\)|setTimeout\(|setInterval\(|Math\.random\()/;
    const edges = ['serve/page/main.ts']; // In the browser: it hands both to the page.
    const others = sources().filter((file) => !file.startsWith('runtime/') && !edges.includes(file));
    expect(others.filter((file) => taken.test(codeOf(read(file))))).toEqual([]);
  });
});
