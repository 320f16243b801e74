import { createGit, type GitSandbox } from '../../git/run/process.ts';
import { gitVersion } from '../../git/run/version.ts';
import { type Finding, failed, fromError, ok, warning } from './finding.ts';

/** The same as `engines` in package.json. */
const MIN_NODE = [20, 19];

/** @param version as in process.versions.node. */
export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const enough = major > (MIN_NODE[0] as number) || (major === MIN_NODE[0] && minor >= (MIN_NODE[1] as number));
  if (enough) return ok('node', `v${version}`);
  return failed(
    'node',
    `v${version} is too old`,
    `gitfleet needs ${MIN_NODE.join('.')} or newer; the Debian package brings its own`,
  );
}

export async function checkGit(sandbox: GitSandbox): Promise<Finding> {
  try {
    const { version, verdict } = await gitVersion(createGit(sandbox));
    if (verdict === 'good') return ok('git', `version ${version}`);
    if (verdict === 'refused')
      return failed('git', `version ${version} is too old`, 'gitfleet needs git 2.34 or newer');
    const holes = 'has known holes (such as CVE-2024-32002), unless your distribution fixed them';
    return warning(
      'git',
      `version ${version} ${holes}`,
      'update git; none of these holes is open to the way gitfleet calls it',
    );
  } catch (error) {
    return fromError('git', error);
  }
}
