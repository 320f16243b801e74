import type { Clock } from '../../runtime/clock.ts';
import { createBitbucket } from './bitbucket.ts';
import type { Forge } from './forge.ts';
import { createGitea } from './gitea.ts';
import { createGitHub } from './github.ts';
import { createGitLab } from './gitlab.ts';
import { type ForgeAccount, type ForgeKind, forgeRepositoryOf } from './repository.ts';
import { type Send, sendWithin } from './request.ts';

const TIMEOUT_MS = 15_000;
/** A page of 100 check runs with their outputs. */
const MAX_BYTES = 8 * 1024 * 1024;

const CREATE: Readonly<Record<ForgeKind, (...args: Parameters<typeof createGitHub>) => Forge>> = {
  github: createGitHub,
  gitlab: createGitLab,
  gitea: createGitea,
  bitbucket: createBitbucket,
};

/** How requests to forges are bounded. */
export const sendToForge = (clock: Pick<Clock, 'after'>): Send =>
  sendWithin({ clock, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES });

/** The forge of the repository at `url`; null: the settings name none for it. Nothing is sent yet. */
export function openForge(url: string, accounts: readonly ForgeAccount[], send: Send): Forge | null {
  const repository = forgeRepositoryOf(url, accounts);
  return repository && CREATE[repository.account.kind](repository, send);
}
