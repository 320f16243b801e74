import { visible } from '../../../runtime/safe-text.ts';

/**
 * The short texts of the page: ages, counts, commits. Everything from outside goes through `asText`, so that no
 * character hides itself or reverses the text around it.
 */

/** One line of at most `max` characters. */
export const asText = (text: string, max = 500): string => visible(text, max);

/** Several lines, such as the output of a step: breaks and tabs stay. */
export const asLines = (text: string): string =>
  text
    .split('\n')
    .map((line) =>
      line
        .split('\t')
        .map((part) => visible(part, 2_000))
        .join('\t'),
    )
    .join('\n');

/** The first ten characters of a commit, which its link and its title give in full. */
export const shortCommit = (commitId: string | null): string =>
  commitId === null || commitId === '' ? 'nothing' : asText(commitId, 64).slice(0, 10);

/** 12 s, 5 min, 3 h, 4 d: one unit, whole, so that a page that is redrawn each second stays calm. */
export function ageText(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1_000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** `1 server`, `1,000 servers`. */
export const countText = (n: number, one: string, many = `${one}s`): string => `${grouped(n)} ${n === 1 ? one : many}`;

/** 1,000 instead of 1000. */
export const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

/** The first few names, and how many more there are. */
export function namesText(all: readonly string[], most = 5): string {
  const more = all.length > most ? ` and ${grouped(all.length - most)} more` : '';
  return `${all
    .slice(0, most)
    .map((name) => asText(name, 100))
    .join(', ')}${more}`;
}

/** 2026-12-01 12:03:22 UTC. */
export const timeText = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

export const deploymentLabel = (deployment: number): string => `d-${deployment}`;
