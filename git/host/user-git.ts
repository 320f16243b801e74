import { type SimpleGit, simpleGit } from 'simple-git';

/** The environment of the person or hook that publishes. */
export type UserEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * Git in a person's clone, with that person's configuration: the files in the home directory, and what CI images set in
 * the environment (GIT_CONFIG_COUNT, GIT_CONFIG_GLOBAL ...), such as safe.directory. Git's other variables are dropped,
 * because in a hook they name another repository. For local commands that always print something.
 */
export function userGit(directory: string, env: UserEnvironment): SimpleGit {
  const config = Object.keys(env).filter((name) => /^GIT_CONFIG(_|$)/.test(name));
  const own = { ...pick(env, ['PATH', 'HOME', 'USER', 'XDG_CONFIG_HOME', ...config]), LC_ALL: 'C' };
  return simpleGit({
    baseDir: directory,
    maxConcurrentProcesses: 2,
    timeout: { block: 60_000 },
    // simple-git guards against configuration from outside; this is the person's own.
    ...(config.length > 0 ? { allowEnvironment: Object.keys(own), unsafe: OWN_CONFIGURATION } : {}),
  }).env(own);
}

const OWN_CONFIGURATION = {
  allowUnsafeAlias: true,
  allowUnsafeAskPass: true,
  allowUnsafeConfigEnvCount: true,
  allowUnsafeConfigPaths: true,
  allowUnsafeCredentialHelper: true,
  allowUnsafeDiffExternal: true,
  allowUnsafeEditor: true,
  allowUnsafeFilter: true,
  allowUnsafeFsMonitor: true,
  allowUnsafeHooksPath: true,
  allowUnsafeInclude: true,
  allowUnsafePager: true,
  allowUnsafeProtocolOverride: true,
  allowUnsafeSshCommand: true,
};

/** In a hook, git's variables name the repository that was pushed to. Our calls use another repository, or none. */
export function networkEnvironment(env: UserEnvironment, url: string): Record<string, string> {
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && (!entry[0].startsWith('GIT_') || /^GIT_(SSH|SSL|CONFIG|ASKPASS|HTTP)/.test(entry[0])),
  );
  const protocol = /^([a-z]+):/.exec(url)?.[1] ?? '';
  return { ...Object.fromEntries(kept), LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', GIT_ALLOW_PROTOCOL: protocol };
}

function pick(env: UserEnvironment, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}
