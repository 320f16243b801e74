// npm run package:deb [-- --out DIR] [-- --version V] [-- --compress xz|gzip|none]: makes gitfleet_<version>_<arch>.deb
// from what `npm pack` would publish, with dpkg-deb. It contains the Node that runs this script: Debian 12 offers 18,
// which is too old. The last line names the file.
//
// Each version has its own directory, and `current` is a link to the newest. dpkg renames links last and removes the
// older version's files after that, so the link always leads to one complete version, and no process mixes two.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

/** The directory in which each shell of Debian looks. */
const COMPLETIONS = {
  gitfleet: '/usr/share/bash-completion/completions',
  _gitfleet: '/usr/share/zsh/vendor-completions',
  'gitfleet.fish': '/usr/share/fish/vendor_completions.d',
};
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: '.' },
    version: { type: 'string' },
    compress: { type: 'string', default: 'xz' },
    tarball: { type: 'string' },
  },
});

const scratch = mkdtempSync(join(tmpdir(), 'gitfleet-deb-'));
try {
  checkNode(process.execPath);
  const tarball = values.tarball ?? pack(scratch);
  const stage = join(scratch, 'stage');
  const version = await unpack(tarball, stage);
  console.log(build(stage, version, resolve(values.out)));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** It must run on a server that has only Debian's libc and libstdc++. */
function checkNode(node) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) stop(`Node ${process.versions.node} is too old to be packed`);
  const libraries = run('ldd', [node]).matchAll(/^\s*(\S+?)(?:\.so[.\d]*)? (?:=>|\()/gm);
  const base = /^(linux-vdso|lib(dl|stdc\+\+|m|gcc_s|pthread|c|rt)|\/lib(64)?\/ld-linux[-\w]*)$/;
  const others = [...libraries].map((found) => found[1]).filter((name) => !base.test(name));
  if (others.length > 0) stop(`${node} needs ${others.join(', ')}: use a Node of nodejs.org or NodeSource`);
}

function pack(into) {
  const said = run('npm', ['pack', '--json', '--silent', '--loglevel=error', '--pack-destination', into]);
  return join(into, JSON.parse(said.slice(said.indexOf('[')))[0].filename);
}

/** Puts the files at their paths on the server; returns the version. */
async function unpack(tarball, stage) {
  const unpacked = join(scratch, 'package');
  run('tar', ['-xzf', tarball, '-C', scratch]);
  const { fill, packagingFile } = await import(join(unpacked, 'dist/cli/packaging-files.js'));
  const unit = fill('gitfleet-agent.service', {
    gitfleet: '/usr/bin/gitfleet',
    user: 'gitfleet',
    writes: ['/srv/www'],
  });
  put(stage, '/usr/lib/systemd/system/gitfleet-agent.service', (file) => writeFileSync(file, unit));
  for (const name of ['gitfleet-serve.service', 'gitfleet-webhooks.service']) {
    const other = fill(name, { gitfleet: '/usr/bin/gitfleet' });
    put(stage, `/usr/lib/systemd/system/${name}`, (file) => writeFileSync(file, other));
  }
  put(stage, '/etc/gitfleet/gitfleet.yml', (file) => copyFileSync(packagingFile('gitfleet.yml'), file));
  const description = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'));
  const version = values.version ?? description.version;
  writeFileSync(join(unpacked, 'package.json'), `${JSON.stringify({ ...description, version }, null, 2)}\n`);
  const home = `/usr/lib/gitfleet/${version}`;
  mkdirSync(join(stage, dirname(home)), { recursive: true });
  renameSync(unpacked, join(stage, home));
  put(stage, `${home}/bin/node`, (file) => copyFileSync(process.execPath, file), 0o755);
  const start = `#!/bin/sh\nexec ${home}/bin/node ${home}/dist/cli/main.cjs "$@"\n`;
  put(stage, `${home}/bin/gitfleet`, (file) => writeFileSync(file, start), 0o755);
  put(stage, '/usr/lib/gitfleet/current', (file) => symlinkSync(version, file));
  put(stage, '/usr/bin/gitfleet', (file) => symlinkSync('../lib/gitfleet/current/bin/gitfleet', file));

  const documents = `/usr/share/doc/gitfleet`;
  for (const name of ['README.md', 'CHANGELOG.md', 'docs', 'examples']) {
    put(stage, `${documents}/${name}`, (file) => cpSync(join(ROOT, name), file, { recursive: true }));
  }
  const shell = join(stage, home, 'dist/share');
  for (const name of readdirSync(join(shell, 'man/man1'))) {
    const page = gzipSync(readFileSync(join(shell, 'man/man1', name)), { level: 9 });
    put(stage, `/usr/share/man/man1/${name}.gz`, (file) => writeFileSync(file, page));
  }
  for (const [name, directory] of Object.entries(COMPLETIONS)) {
    put(stage, `${directory}/${name}`, (file) => copyFileSync(join(shell, 'completions', name), file));
  }
  // The licence under Debian's name, at Debian's place.
  const copyright = readFileSync(join(ROOT, 'packaging/debian/copyright'), 'utf8')
    .replaceAll('@VERSION@', version)
    .replace('@LICENSE@', readFileSync(join(ROOT, 'LICENSE'), 'utf8').trimEnd());
  put(stage, `${documents}/copyright`, (file) => writeFileSync(file, copyright));
  return version;
}

function build(stage, version, out) {
  const architecture = run('dpkg', ['--print-architecture']).trim();
  const debianVersion = version.replaceAll('-', '~');
  const kibibytes = run('du', ['-sk', '--apparent-size', stage]).split('\t')[0];
  const control = readFileSync(join(ROOT, 'packaging/debian/control'), 'utf8')
    .replace('@VERSION@', debianVersion)
    .replace('@ARCHITECTURE@', architecture)
    .replace('@KIBIBYTES@', kibibytes);
  put(stage, '/DEBIAN/control', (file) => writeFileSync(file, control));
  put(stage, '/DEBIAN/conffiles', (file) => writeFileSync(file, '/etc/gitfleet/gitfleet.yml\n'));
  for (const name of ['postinst', 'prerm', 'postrm']) {
    put(stage, `/DEBIAN/${name}`, (file) => copyFileSync(join(ROOT, 'packaging/debian', name), file), 0o755);
  }
  readable(stage);
  mkdirSync(out, { recursive: true });
  const file = join(out, `gitfleet_${debianVersion}_${architecture}.deb`);
  run('dpkg-deb', ['--root-owner-group', `-Z${values.compress}`, '--build', stage, file]);
  return file;
}

function put(stage, path, make, mode) {
  const file = join(stage, path);
  mkdirSync(dirname(file), { recursive: true });
  make(file);
  if (mode !== undefined) chmodSync(file, mode);
}

/** The package does not depend on the umask of the build. */
function readable(directory) {
  chmodSync(directory, 0o755);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) readable(path);
    else if (entry.isFile()) chmodSync(path, (statSync(path).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}

function run(program, args) {
  return execFileSync(program, args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64e6,
  });
}

function stop(words) {
  console.error(`package:deb: ${words}`);
  process.exit(2);
}
