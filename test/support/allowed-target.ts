import { createDoor, type Door } from '../../agent/door/door.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { type AllowedTarget, allowTarget, parseTarget, type VerifiedEnvelope } from '../../schemas/target.ts';

/** The target with these members, for an agent that allows its url, parsed as every target is. */
export function allowedTarget(
  members: {
    url: string;
    commitId: string;
    relativePath: string;
    gitfleet?: object | undefined;
  },
  envelope: VerifiedEnvelope | null = null,
): AllowedTarget {
  const { url, commitId, relativePath, gitfleet } = members;
  const bytes = Buffer.from(JSON.stringify({ url, commitId, relativePath, gitfleet }));
  const judged = parseTarget(bytes, { allow: [url] });
  if (!judged.ok) throw new Error(judged.failure.reason);
  return allowTarget(judged.target, envelope);
}

/** The door of an agent that allows these urls, and asks for no signature. */
export const doorFor = (allow: readonly string[]): Door =>
  createDoor({
    rules: () => ({ allowUrls: allow, verify: { target: 'off' } }),
    app: '/app',
    appState: '/nonexistent',
    ssh: { clock, env: {} },
  });
