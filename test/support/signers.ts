import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { signBySsh } from '../../git/ssh/signature.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { NAMESPACE, type SignedTarget } from '../../schemas/signed/signed-target.ts';
import { cleanEnvironment } from './commands.ts';

const exec = promisify(execFile);

/** A key made by ssh-keygen. */
export interface TestKey {
  readonly file: string;
  /** `ssh-ed25519 AAAA...` */
  readonly publicKey: string;
}

/** Keys, and a list of signers that root owns, as agents want it; in a directory of their own. */
export class TestSigners {
  readonly directory: string;
  readonly file: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.file = join(directory, 'signers');
  }

  static async create(): Promise<TestSigners> {
    if (process.getuid?.() !== 0) throw new Error('a list of signers belongs to root: run this test as root');
    const made = new TestSigners(await mkdtemp(join(tmpdir(), 'gitfleet-signers-')));
    await chmod(made.directory, 0o755);
    await made.allow([]);
    return made;
  }

  async key(name: string, type = 'ed25519'): Promise<TestKey> {
    const file = join(this.directory, name);
    const bits = type === 'rsa' ? ['-b', '2048'] : [];
    await exec('ssh-keygen', ['-q', '-t', type, ...bits, '-N', '', '-C', name, '-f', file], {
      env: cleanEnvironment(),
    });
    const [kind, key] = (await readFile(`${file}.pub`, 'utf8')).split(' ');
    return { file, publicKey: `${kind} ${key}` };
  }

  /** Writes the list: these lines and no others. */
  async allow(lines: readonly string[]): Promise<void> {
    await writeFile(this.file, lines.map((line) => `${line}\n`).join(''), { mode: 0o644 });
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** A line that counts for targets. */
export const lineOf = (name: string, key: TestKey, options = ''): string =>
  `${name} namespaces="${NAMESPACE}"${options === '' ? '' : `,${options}`} ${key.publicKey}`;

/** The envelope of these bytes. */
export async function sealed(bytes: Buffer | string, key: TestKey, namespace = NAMESPACE) {
  const signed = Buffer.from(bytes);
  const signature = await signBySsh({ clock, env: cleanEnvironment() }, key.file, namespace, signed);
  return { signed: signed.toString('base64'), signature };
}

/** What config holds of a target that was signed. */
export async function signedConfig(said: SignedTarget, key: TestKey, more: object = {}) {
  const { url, commitId, relativePath } = said;
  const envelope = await sealed(JSON.stringify(said), key);
  return { url, commitId, relativePath, gitfleet: { ...envelope, ...more } };
}
