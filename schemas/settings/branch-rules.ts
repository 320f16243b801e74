import * as z from 'zod';
import { type Refused, shown } from '../refusal.ts';
import { ANY_URL, parseUrl } from '../url.ts';
import type { RepositoryUrl } from '../values.ts';

/** One entry of agent.verify.reachableFrom. */
export interface BranchRule {
  /** One exact repository. Under a prefix, anyone with a repository there could push a `main` of their own. */
  readonly url: RepositoryUrl;
  /** Full names. A branch accepts its whole history, a tag only its own commit. */
  readonly refs: readonly string[];
}

/** Each branch may cost a walk through its history, on every server. */
export const MAX_REFS = 3;
const MAX_RULES = 20;

/** A plain branch or tag: no pattern, and nothing that is special in a refspec or a file name. */
const REF = /^refs\/(?:heads|tags)\/[A-Za-z0-9_](?:[A-Za-z0-9_+=@-]|[./](?=[A-Za-z0-9_+=@-])){0,199}$/;
export const isPlainRef = (ref: string): boolean => REF.test(ref) && !/\.lock(?:\/|$)|@\{/.test(ref);

/** The setting itself. */
export const branchRules = () =>
  z
    .array(
      z.strictObject({
        url: z.string().transform((text, context) => {
          const parsed = parseUrl(text, ANY_URL);
          if (parsed.ok) return parsed.url;
          context.addIssue({ code: 'custom', message: (parsed as Refused).failure.reason.replace(/^url: /, '') });
          return z.NEVER;
        }),
        refs: z
          .array(
            z.string().refine(isPlainRef, {
              error: ({ input }) =>
                `must be full names such as refs/heads/main or refs/tags/v1, not ${shown(String(input))}`,
            }),
          )
          .min(1, 'must name a branch')
          .max(MAX_REFS, `must be at most ${MAX_REFS} branches or tags`),
      }),
    )
    .max(MAX_RULES)
    .refine((rules) => new Set(rules.map(({ url }) => url)).size === rules.length, 'names one url twice')
    .prefault([]);

/**
 * The refs that a commit of this repository must be on; `none`: nothing is required. As soon as one rule exists, a url
 * without a rule is refused: otherwise the writer of a target would name the other url. Pure.
 */
export function branchRuleFor(
  {
    reachableFrom,
  }: { readonly reachableFrom?: readonly { url: string; refs: readonly string[] }[] | null | undefined },
  url: string,
): readonly string[] | 'none' | 'refused' {
  if (!reachableFrom || reachableFrom.length === 0) return 'none';
  return reachableFrom.find((rule) => rule.url === url)?.refs ?? 'refused';
}
