import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { accessTo } from '../../git/run/credentials.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import type { SettingOrigin } from '../../schemas/settings/settings-sources.ts';
import type { Credential, RepositoryUrl } from '../../schemas/values.ts';
import { coordinatorAccess, sessionAccess } from '../shell/session-access.ts';
import { type Finding, failed, fromError, ok, warning } from './finding.ts';
import { checkSigners } from './signatures.ts';

/** Where the settings come from: a value from an unexpected place explains most surprises. */
export function settingsFindings(origins: readonly SettingOrigin[], file: string | null): Finding[] {
  const given = origins.filter(({ from }) => from !== 'file').map(({ setting, name }) => `${setting} from ${name}`);
  const rest = file === null ? 'no settings file' : `${given.length > 0 ? 'the rest from' : 'from'} ${file}`;
  return [
    ok('settings', [...given, rest].join('; ')),
    ...origins.flatMap(({ setting, ignored }) =>
      ignored === null
        ? []
        : [
            warning(
              'settings',
              `${ignored} is set and not used: ${file}, named with --settings, gives ${setting}`,
              `unset ${ignored} if that is right`,
            ),
          ],
    ),
  ];
}

/**
 * Checks every file that the settings of an agent name, reading it as the agent does. @param file the settings file.
 */
export async function checkFiles(settings: Settings, file: string | null): Promise<Finding[]> {
  const { credentials, allowRepositorySteps, allowUrls } = settings.agent;
  const findings = [
    ...(file === null ? [] : await checkReadable('settings', { settings: file })),
    ...(await checkCoordinator(settings)),
    ...(await checkSigners(settings)),
  ];
  const protocols = [...new Set(allowUrls.map((prefix) => prefix.slice(0, prefix.indexOf(':'))))];
  for (const credential of credentials) findings.push(...(await checkCredential(credential, protocols)));
  if (allowRepositorySteps && settings.coordinator.authFile !== undefined) {
    const says = 'agent.allowRepositorySteps lets a commit run commands that can read coordinator.authFile';
    findings.push(warning('steps', says, 'keep the credential of the coordinator on servers that run no such steps'));
  }
  return findings;
}

async function checkCoordinator(settings: Settings): Promise<Finding[]> {
  if (settings.coordinator.authFile === undefined) return [];
  try {
    await coordinatorAccess(settings, await sessionAccess(settings));
    return [ok('coordinator', `${settings.coordinator.authFile} holds the credential of the coordinator`)];
  } catch (error) {
    return [fromError('coordinator', error)];
  }
}

/** Whether the files can be read, and then whether they pass the rules that a fetch applies to them. */
async function checkCredential(credential: Credential, protocols: readonly string[]): Promise<Finding[]> {
  const { prefix, sshKeyFile, knownHosts, tokenFile, caFile } = credential;
  const unreadable = await checkReadable('credentials', { sshKeyFile, knownHosts, tokenFile, caFile });
  if (unreadable.length > 0) return unreadable;
  try {
    await accessTo(prefix as RepositoryUrl, credential, protocols);
    return [ok('credentials', `the files for ${prefix} can be read`)];
  } catch (error) {
    return [fromError('credentials', error)];
  }
}

async function checkReadable(check: string, files: Readonly<Record<string, string | undefined>>): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [member, file] of Object.entries(files)) {
    if (file === undefined) continue;
    const problem = await access(file, constants.R_OK).then(
      () => null,
      ({ code }: NodeJS.ErrnoException) => code ?? 'unknown',
    );
    if (problem === null) continue;

    const missing = problem === 'ENOENT';
    const me = process.geteuid?.();
    const give = `if this is the user of the agent, give it to that user: chown ${me}: ${file}`;
    const hint = missing ? 'create it, or correct its name in the settings' : give;
    findings.push(failed(check, `${member} ${file} cannot be read by uid ${me}: ${problem}`, hint));
  }
  return findings;
}
