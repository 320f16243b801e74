import { run } from '../runtime/process.ts';
import type { CommitId } from '../schemas/values.ts';
import { checkOut } from './checkout.ts';
import { checkedCommitId } from './commit-id.ts';
import { checkContent } from './content.ts';
import { failure, gitFailure } from './errors.ts';
import { inspectWorkTree, isClean } from './inspect.ts';
import { environment } from './process.ts';
import { dropProof, readProof, writeProof } from './proof.ts';
import { isPinned, notHere, type Repository } from './repository.ts';
import type { Spare } from './spare.ts';
import type { Drift } from './store.ts';
import { createTurn } from './turn.ts';
import { findWorkTree, moveWorkTree, type WorkTree } from './work-tree.ts';

/**
 * The spare at `directory`. Nothing that an earlier process left is trusted unless its proof note says so; a failure
 * at any point leaves a spare without note, which the next write makes good with a full checkout.
 */
export function openSpare(repository: Repository, directory: string): Spare {
  const turn = createTurn();

  async function proved(): Promise<CommitId | null> {
    const tree = await findWorkTree(repository, directory);
    return tree && readProof(tree);
  }

  async function write(commitId: CommitId, signal: AbortSignal): Promise<void> {
    if (!(await isPinned(repository, commitId))) throw notHere(commitId);
    if ((await proved()) === commitId) return;
    await checkContent(repository, commitId, directory, signal);
    await checkOut(repository, directory, commitId, signal);
  }

  async function verify(commitId: CommitId, signal: AbortSignal): Promise<void> {
    const tree = await present();
    const deep = !repository.fresh.has(commitId);
    const drift = await inspectWorkTree(repository, tree, commitId, signal, { deep });
    if (!isClean(drift, commitId)) {
      await dropProof(tree);
      throw mismatch(commitId, drift);
    }
    await writeProof(tree, commitId);
    await repository.failpoint('spare.proved');
  }

  async function moveTo(release: string): Promise<void> {
    const tree = await present();
    if ((await readProof(tree)) === null) {
      throw failure('NOT_PROVED', 'bug', `${directory} was not verified`, 'verify the spare before it is moved');
    }
    await flush(repository, tree);
    await moveWorkTree(repository, tree, release);
  }

  async function present(): Promise<WorkTree> {
    const tree = await findWorkTree(repository, directory);
    if (tree) return tree;
    throw failure('NO_SPARE', 'retry', `there is no work tree at ${directory}`, 'the agent writes it anew by itself');
  }

  return {
    directory,
    proved,
    write: (commitId, signal) => turn(() => write(checkedCommitId(commitId), signal)),
    verify: (commitId, signal) => turn(() => verify(checkedCommitId(commitId), signal)),
    moveTo: (release) => turn(() => moveTo(release)),
  };
}

/** Git fsyncs its packs but not the files of a work tree; without this a power loss could empty a linked release. */
async function flush(repository: Repository, tree: WorkTree): Promise<void> {
  const { leash } = repository.git;
  const said = await run(['sync', '-f', '--', tree.directory, tree.admin], {
    env: environment(leash),
    clock: repository.clock,
    timeoutMs: 120_000,
    mostBytes: 4_096,
    keep: 'tail',
    ...(leash.lockFd === undefined ? {} : { inherit: [leash.lockFd] }),
  });
  if (said.exitCode !== 0) throw gitFailure('sync', said.stderr.toString('utf8'), 'IO_ERROR');
}

function mismatch(commitId: CommitId, drift: Drift) {
  const parts = [
    ...(drift.head === commitId ? [] : [`HEAD is ${drift.head ?? 'unreadable'}`]),
    ...[
      ['changed', drift.changed] as const,
      ['missing', drift.missing] as const,
      ['not of the commit', drift.strangers] as const,
    ].flatMap(([word, names]) => (names.length === 0 ? [] : [`${word}: ${names.slice(0, 5).map(quoted).join(', ')}`])),
  ];
  const hint = 'the spare is written again from the objects; if it comes back, check disk and memory of this server';
  return failure('TREE_MISMATCH', 'retry', `the tree is not ${commitId}: ${parts.join('; ')}`, hint);
}

const quoted = (name: string) => JSON.stringify(name.slice(0, 100));
