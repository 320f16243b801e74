import type { Git } from '../run/process.ts';

/** A deployment's commit, kept at the origin under `refs/deployments/<app>/<n>`: no forced push takes it away. */
export interface DeploymentPin {
  readonly number: number;
  readonly commitId: string;
}

export const PINS = 'refs/deployments';

/** The pins of one app. */
export async function readPins(git: Git, gitDir: string, app: string): Promise<DeploymentPin[]> {
  const prefix = `${PINS}/${nameOf(app)}/`;
  const lines = (await git.output(['for-each-ref', '--format=%(objectname) %(refname)', prefix], { gitDir })).split(
    '\n',
  );
  return lines.flatMap((line) => {
    const [commitId = '', ref = ''] = line.split(' ');
    const number = Number(/^[1-9]\d*$/.exec(ref.slice(prefix.length))?.[0]);
    return Number.isSafeInteger(number) ? [{ number, commitId }] : [];
  });
}

/**
 * Makes pins, for those commits that are here, and removes others. All or nothing; what is there already is success.
 */
export async function changePins(
  git: Git,
  gitDir: string,
  app: string,
  change: { readonly make: readonly DeploymentPin[]; readonly remove: readonly number[] },
): Promise<void> {
  const ref = (number: number) => `${PINS}/${nameOf(app)}/${number}`;
  const here = await commitsHere(git, gitDir, change.make);
  const orders = [
    ...here.map(({ number, commitId }) => `update ${ref(number)} ${commitId}\n`),
    ...change.remove.map((number) => `delete ${ref(number)}\n`),
  ];
  if (orders.length === 0) return;
  await git.output(['update-ref', '--stdin'], { gitDir, input: orders.join(''), config: PATIENCE });
}

/** Another hook may be at the same refs. Git's own patience is a tenth of a second. */
const PATIENCE = ['core.filesRefLockTimeout=5000', 'core.packedRefsTimeout=5000'];

/** Asked first, because git refuses all orders where one names a commit that is not here. */
async function commitsHere(git: Git, gitDir: string, pins: readonly DeploymentPin[]): Promise<DeploymentPin[]> {
  const named = pins.filter(({ commitId }) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(commitId));
  if (named.length === 0) return [];
  const input = named.map(({ commitId }) => `${commitId}\n`).join('');
  const said = (await git.output(['cat-file', '--batch-check=%(objecttype)'], { gitDir, input })).split('\n');
  return named.filter((_, at) => said[at] === 'commit');
}

/** An app znode as one part of a ref's name; a dot could make `..` or `.lock` of it. */
const nameOf = (app: string): string => app.slice(1).replaceAll('/', '+').replaceAll('.', '%2e');
