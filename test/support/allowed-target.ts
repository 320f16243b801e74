import { type AllowedTarget, parseMembers } from '../../schemas/target.ts';

/** The target of these members, for an agent that allows its url: by the door that every target goes through. */
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
