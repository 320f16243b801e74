import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { isOpenToOthers } from '../../runtime/secrets/secret-file.ts';
import type { Credential, RepositoryUrl } from '../../schemas/values.ts';
import { gitError } from './errors.ts';

/**
 * What a fetch from one url may use: settings and environment for git, from the credential that the settings grant.
 * Files are read at each use, so a rotated key or token works without a restart. A token is never in an argument, an
 * environment value or a log: git gets a credential helper, made of shell builtins only, that reads the file.
 *
 * Without sshKeyFile no key is offered at all. Without knownHosts only the machine's global list counts. Nothing in the
 * user's home directory is used.
 */
export interface GitAccess {
  readonly config: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly protocols: readonly string[];
}

export async function accessTo(
  url: RepositoryUrl,
  credential: Credential | undefined,
  allowProtocols: readonly string[],
): Promise<GitAccess> {
  const parsed = new URL(url);
  const protocol = parsed.protocol.slice(0, -1);
  if (!allowProtocols.includes(protocol)) {
    throw gitError('PROTOCOL_REFUSED', `urls with ${protocol}: are not allowed here`);
  }
  const protocols = [protocol];
  if (protocol === 'ssh') return { config: [], protocols, env: await sshEnvironment(credential) };
  if (protocol !== 'https' && protocol !== 'http') return { config: [], protocols, env: {} };
  const config: string[] = [];
  if (credential?.proxy !== undefined) config.push(`http.proxy=${credential.proxy}`);
  if (credential?.caFile !== undefined) {
    await checkFile('caFile', credential.caFile, 'public');
    config.push(`http.sslCAInfo=${credential.caFile}`);
  }
  if (credential?.tokenFile === undefined) return { config, protocols, env: {} };
  await checkToken(credential.tokenFile);
  // Limited to this one server, so that git itself keeps the token from any other.
  config.push(`credential.${parsed.protocol}//${parsed.host}.helper=${HELPER}`);
  return { config, protocols, env: { GITFLEET_TOKEN_FILE: credential.tokenFile } };
}

/** The file holds `token` or `user:token`; most servers accept any user name with a token. */
const HELPER = `!f() { test "$1" = get || exit 0; line=; IFS= read -r line < "$GITFLEET_TOKEN_FILE" || test -n "$line" || exit 1; case $line in *:*) user=\${line%%:*} word=\${line#*:};; *) user=gitfleet word=$line;; esac; printf 'username=%s\\npassword=%s\\n' "$user" "$word"; }; f`;

async function sshEnvironment(credential: Credential | undefined): Promise<Record<string, string>> {
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    'UpdateHostKeys=no',
    'PreferredAuthentications=publickey',
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    'ClearAllForwardings=yes',
    'ForwardAgent=no',
    'PermitLocalCommand=no',
    'ConnectTimeout=10',
    'ServerAliveInterval=10',
    'ServerAliveCountMax=3',
    'LogLevel=ERROR',
  ];
  if (credential?.sshKeyFile === undefined) options.push('IdentityFile=none');
  else {
    await checkFile('sshKeyFile', credential.sshKeyFile, 'secret');
    options.push(`IdentityFile=${credential.sshKeyFile}`);
  }
  if (credential?.knownHosts === undefined) options.push('UserKnownHostsFile=/dev/null');
  else {
    await checkFile('knownHosts', credential.knownHosts, 'public');
    options.push(`UserKnownHostsFile=${credential.knownHosts}`, 'GlobalKnownHostsFile=/dev/null');
  }
  const command = ['ssh', '-F', '/dev/null', ...options.map((option) => `-o${option}`)];
  return { GIT_SSH_COMMAND: command.join(' '), GIT_SSH_VARIANT: 'ssh' };
}

async function checkToken(file: string): Promise<void> {
  await checkFile('tokenFile', file, 'secret');
  const line = (await readFile(file, 'latin1')).replace(/\n$/, '');
  if (/^[\x21-\x7e]+$/.test(line) && !line.startsWith(':')) return;
  const hint = 'it must hold one line, either the token or user:token, without blanks';
  throw gitError('CREDENTIAL_FILE', `tokenFile ${file} does not hold a token`, hint);
}

/**
 * The path becomes part of ssh's command line, which interprets quotes, percent signs and blanks, so only plain paths
 * pass. Others must not be able to read a secret. They must not be able to write a public file either, because it
 * decides whom we trust.
 */
async function checkFile(member: string, file: string, kind: 'secret' | 'public'): Promise<void> {
  const refuse = (why: string, hint: string, cause?: unknown) =>
    gitError('CREDENTIAL_FILE', `${member} ${file} ${why}`, hint, cause);
  if (!/^\/[A-Za-z0-9_./@+,:=-]+$/.test(file)) {
    throw refuse('is not a plain absolute path', 'use a path of letters, digits and . _ / @ + , : = - only');
  }
  const unreadable = (error: NodeJS.ErrnoException) => {
    const hint = 'create it, or give it to the user of the agent; correct its name in the settings';
    throw refuse(`cannot be read (${error.code ?? error.message})`, hint, error);
  };
  const found = await stat(file).catch(unreadable);
  if (!found.isFile()) throw refuse('is not a file', 'name a regular file');
  // Checked here, because the errors of ssh and git would be mixed with the host's output.
  await access(file, constants.R_OK).catch(unreadable);
  const open = kind === 'public' ? (found.mode & 0o022) !== 0 : isOpenToOthers(found);
  if (!open) return;
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
  throw refuse(`has mode ${mode}, which is open to others`, `chmod ${kind === 'secret' ? '600' : '644'} ${file}`);
}
