// Brings a fresh clone on a fresh machine to where demo and tests can run, and says what it does: Node's version,
// packages, the build, a ZooKeeper distribution. Plain JavaScript without packages, because it runs before there are
// any.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = [
  'agent',
  'cli',
  'fleet',
  'git',
  'hooks',
  'library',
  'publisher',
  'rollout',
  'runtime',
  'schemas',
  'serve',
  'services',
  'zookeeper',
];

/**
 * @param {{ allowed: boolean, debian?: string[], packagesOnly?: boolean }} options `allowed` false (--no-setup): only
 * check and report. `packagesOnly`: for callers that run the sources and start no process.
 */
export function setUp(options) {
  checkNode();
  if (packagesStale()) {
    step(options, 'npm ci (the packages of package-lock.json)', () => {
      run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
    });
  }
  if (options.packagesOnly) return;
  if (buildStale())
    step(options, 'npm run build (TypeScript to dist/)', () => run('npm', ['run', '--silent', 'build']));
  debianPackages(options);
}

/** For a test runner that was called directly: builds if sources are newer. */
export function ensureBuilt() {
  if (buildStale()) run('npm', ['run', '--silent', 'build']);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  stop(`Node ${process.versions.node} is too old: gitfleet needs 20.19 or newer`);
}

/**
 * Whether what npm noted as installed, whichever command called it, differs from what package-lock.json requires. npm
 * writes that note last, so an interrupted installation has none. Optional packages belong to other platforms.
 */
export function packagesStale(root = ROOT) {
  const note = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(note)) return true;
  const [wanted, installed] = [join(root, 'package-lock.json'), note].map(packagesOf);
  const names = new Set([...Object.keys(wanted), ...Object.keys(installed)]);
  names.delete(''); // The project itself, which only package-lock.json names.
  return [...names].some((name) => {
    const [want, have] = [wanted[name], installed[name]];
    if (want && !have) return !want.optional && !want.devOptional;
    return want?.version !== have.version || want.integrity !== have.integrity;
  });
}

const packagesOf = (file) => JSON.parse(readFileSync(file, 'utf8')).packages ?? {};

function buildStale() {
  const built = join(ROOT, 'dist', '.built');
  if (!existsSync(built)) return true;
  const at = Number(readFileSync(built, 'utf8'));
  const own = ['build', 'make-page', 'make-script', 'keep-compiled', 'small-zookeeper'].map(
    (name) => `scripts/${name}.mjs`,
  );
  const files = ['tsconfig.json', 'package.json', ...own].map((name) => join(ROOT, name));
  for (const folder of SOURCES.filter((name) => existsSync(join(ROOT, name)))) {
    const names = readdirSync(join(ROOT, folder), { recursive: true });
    files.push(join(ROOT, folder), ...names.map((name) => join(ROOT, folder, name)));
  }
  return files.some((file) => statSync(file).mtimeMs > at);
}

/** What each command needs from Debian: how to check that it is there, and the package that contains it. */
const DEBIAN = {
  git: { present: () => onPath('git'), packages: ['git'] },
  zookeeper: {
    present: () => Boolean(process.env.ZOOKEEPER_HOME) || existsSync('/usr/share/java/zookeeper.jar'),
    packages: ['libzookeeper-java'],
  },
  java: { present: () => Boolean(process.env.JAVA_HOME) || onPath('java'), packages: ['default-jre-headless'] },
  sshd: { present: () => existsSync('/usr/sbin/sshd'), packages: ['openssh-server', 'openssh-client'] },
  haproxy: { present: () => onPath('haproxy') || existsSync('/usr/sbin/haproxy'), packages: ['haproxy'] },
  nginx: { present: () => onPath('nginx') || existsSync('/usr/sbin/nginx'), packages: ['nginx'] },
  // A browser without fonts draws boxes.
  chromium: { present: () => existsSync('/usr/bin/chromium'), packages: ['chromium', 'fonts-dejavu-core'] },
  promtool: { present: () => onPath('promtool'), packages: ['prometheus'] },
  // The pictures of the docs are in it; a page without it takes the font of the system.
  inter: { present: () => existsSync('/usr/share/fonts/opentype/inter'), packages: ['fonts-inter'] },
  groff: { present: () => onPath('groff'), packages: ['groff-base'] },
  zsh: { present: () => onPath('zsh'), packages: ['zsh'] },
  fish: { present: () => onPath('fish'), packages: ['fish'] },
  kazoo: { present: () => existsSync('/usr/lib/python3/dist-packages/kazoo'), packages: ['python3-kazoo'] },
  openssl: { present: () => onPath('openssl'), packages: ['openssl'] },
  debootstrap: { present: () => onPath('debootstrap'), packages: ['debootstrap'] },
  systemd: { present: () => onPath('systemd-analyze') && onPath('systemd-notify'), packages: ['systemd'] },
  nspawn: { present: () => onPath('systemd-nspawn'), packages: ['systemd-container'] },
};

function debianPackages(options) {
  const missing = ['git', 'zookeeper', 'java', ...(options.debian ?? [])].filter((name) => !DEBIAN[name].present());
  if (missing.length === 0) return;
  const packages = missing.flatMap((name) => DEBIAN[name].packages);
  const command = `apt-get install --no-install-recommends ${packages.join(' ')}`;
  if (!existsSync('/etc/debian_version') || process.getuid?.() !== 0) {
    stop(
      `missing: ${missing.join(', ')}. On Debian, as root: ${command}\n  elsewhere: unpack Apache ZooKeeper 3.8 and set ZOOKEEPER_HOME; install a Java 11 or newer`,
    );
  }
  step(options, command, () => {
    // Run level 1: packages of servers do not start them.
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
    const install = ['install', '-y', '-qq', '--no-install-recommends', ...packages];
    const first = spawnSync('apt-get', install, { env, stdio: 'pipe' });
    if (first.status === 0) return;
    run('apt-get', ['update', '-qq'], env);
    run('apt-get', install, env);
  });
}

const onPath = (program) => spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0;

function step(options, what, action) {
  if (!options.allowed) stop(`--no-setup: this would have to be done first: ${what}`);
  console.log(`set-up: ${what}`);
  const started = Date.now();
  action();
  console.log(`set-up: done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function run(program, args, env = process.env) {
  try {
    execFileSync(program, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] });
  } catch (error) {
    if (error.stdout) process.stdout.write(error.stdout);
    stop(`${program} ${args.join(' ')} failed`);
  }
}

function stop(words) {
  console.error(`set-up: ${words}`);
  process.exit(2);
}
