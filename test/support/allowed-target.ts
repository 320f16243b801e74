import { type AllowedTarget, parseMembers } from '../../schemas/target.ts';

/** The target with these members, for an agent that allows its url, parsed as every target is. */
export function allowedTarget(members: {
  url: string;
  commitId: string;
  relativePath: string;
  gitfleet?: object | undefined;
}): AllowedTarget {
  const judged = parseMembers(members, { allow: [members.url] });
  if (!judged.ok) throw new Error(judged.failure.reason);
  return judged.target;
}
