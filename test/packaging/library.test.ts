import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnvironment, gitfleet } from '../support/commands.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';

const exec = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const servers = sharedServer();

/** The one program in the section of README.md about the library. */
const SNIPPET = /## As a library[\s\S]*?```ts\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1];

/** The same of docs/library.md about OpenFeature. */
const OPENFEATURE = /## OpenFeature[\s\S]*?```ts\n([\s\S]*?)```/.exec(
  readFileSync(join(ROOT, 'docs/library.md'), 'utf8'),
)?.[1];

describe('a fresh TypeScript project with the tarball of npm pack', () => {
  let project: string;
  const file = (name: string) => join(project, name);

  async function compile(name: string, text: string, options: Record<string, unknown> = {}): Promise<string> {
    writeFileSync(file(`${name}.ts`), text);
    const strict = { strict: true, skipLibCheck: false, exactOptionalPropertyTypes: true, target: 'es2022' };
    const compilerOptions = { ...strict, module: 'nodenext', outDir: 'out', types: ['node'], ...options };
    writeFileSync(file('tsconfig.json'), JSON.stringify({ compilerOptions, files: [`${name}.ts`] }));
    return await exec(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.'], {
      cwd: project,
    }).then(
      () => '',
      (error: { stdout: string }) => error.stdout,
    );
  }

  beforeAll(async () => {
    project = mkdtempSync(join(tmpdir(), 'gitfleet-library-'));
    // The build is up to date (test/support/lanes/build.ts), and others run from it.
    await exec('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', project], { cwd: ROOT });
    const [tarball] = readdirSync(project);
    await exec('npm', ['init', '--yes'], { cwd: project });
    await exec('npm', ['pkg', 'set', 'type=module'], { cwd: project });
    const offline = ['--offline', '--registry', 'http://127.0.0.1:1', '--cache', file('cache'), '--no-audit'];
    await exec('npm', ['install', ...offline, `./${tarball}`], { cwd: project });
    // What such a project has besides: npm install --save-dev typescript @types/node.
    mkdirSync(file('node_modules/@types'));
    symlinkSync(join(ROOT, 'node_modules/@types/node'), file('node_modules/@types/node'));
    // And, for one test: npm install @openfeature/server-sdk.
    symlinkSync(join(ROOT, 'node_modules/@openfeature'), file('node_modules/@openfeature'));
  });
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  it('has the JSON Schemas for editors, and the OpenAPI document', async () => {
    const names = ['schemas/settings', 'schemas/policy', 'schemas/target', 'openapi'].map(
      (name) => `gitfleet/${name}.json`,
    );
    const program = `console.log(JSON.stringify(${JSON.stringify(names)}.map((name) => require(name))))`;
    const { stdout } = await exec(process.execPath, ['--input-type=commonjs', '-e', program], { cwd: project });
    const [settings, policy, target, openapi] = JSON.parse(stdout);
    expect(settings.properties.agent.properties.keepReleases).toMatchObject({ default: 5, minimum: 1 });
    expect(policy.properties.onFailure.enum).toEqual(['rollback', 'pause', 'continue']);
    expect(target.required).toEqual(['url', 'commitId', 'relativePath']);
    expect(openapi).toMatchObject({ openapi: '3.1.0', paths: { '/status': { get: {} } } });
  });

  it('compiles the program of the README with --strict and without skipLibCheck, and runs it', async () => {
    expect(await compile('snippet', SNIPPET as string)).toBe('');
    const env = { ...cleanEnvironment(), ZOOKEEPER: servers.connect() };
    const first = await exec(process.execPath, [file('out/snippet.js')], { env });
    expect(first).toEqual({ stdout: 'stack v2 of version 1\n', stderr: '' });
    const second = await exec(process.execPath, [file('out/snippet.js')], { env });
    expect(second.stdout).toMatch(/NODE_EXISTS|exists/);
    expect(second.stdout).toContain('stack v2 of version 2\n');
  });

  it('compiles it with the module resolution of bundlers too', async () => {
    const bundler = { module: 'esnext', moduleResolution: 'bundler', noEmit: true };
    expect(await compile('bundled', SNIPPET as string, bundler)).toBe('');
  });

  it('compiles the program with OpenFeature of docs/library.md likewise, and runs it', async () => {
    for (const words of [
      ['init', '--open'],
      ['flag', 'set', 'checkout', 'on'],
    ])
      expect(await gitfleet([...words, '-z', servers.connect()])).toMatchObject({ exitCode: 0 });
    expect(await compile('openfeature', OPENFEATURE as string)).toBe('');
    const env = { ...cleanEnvironment(), ZOOKEEPER: servers.connect() };
    const ran = await exec(process.execPath, [file('out/openfeature.js')], { env });
    expect(ran).toEqual({ stdout: 'READY true\n', stderr: '' });
  });

  it('has types that refuse what is wrong', async () => {
    const wrong = `import { connect, FleetError, type Code } from 'gitfleet';
      const client = connect({ zookeeper: 1 });
      const code: Code = 'NO_SUCH_CODE';
      client.state = 'connected';
      await client.set('/a', 'text');
      export const of = (error: FleetError): Code => error.code;
    `;
    const lines = (await compile('wrong', wrong)).split('\n').filter((line) => line !== '');
    expect(lines.map((line) => /^wrong\.ts\((\d+),/.exec(line)?.[1] ?? line)).toEqual(['2', '3', '4', '5']);
  });

  it('finds no other file of the package by its name', async () => {
    const inner = "import('gitfleet/dist/zookeeper/session.js').catch((error) => console.log(error.code))";
    const { stdout } = await exec(process.execPath, ['--input-type=module', '-e', inner], { cwd: project });
    expect(stdout).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\n');
  });

  it('changes nothing of a process by being imported', async () => {
    const look = `
      const before = { ...process.env };
      const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE', 'exit', 'uncaughtException', 'unhandledRejection'];
      const listeners = () => signals.map((name) => process.listenerCount(name)).join();
      const lasting = /Timeout|Immediate|TCP|TLS|Signal|Process|Worker|Server/;
      const resources = () => process.getActiveResourcesInfo().filter((name) => lasting.test(name)).toSorted().join();
      const [counted, active] = [listeners(), resources()];
      const { connect } = await import('gitfleet');
      const same = JSON.stringify(before) === JSON.stringify({ ...process.env });
      console.log(typeof connect, listeners() === counted, resources() === active, same);
    `;
    const ran = await exec(process.execPath, ['--input-type=module', '-e', look], { cwd: project });
    expect(ran.stderr).toBe('');
    expect(ran.stdout).toBe('function true true true\n');
  });
});
