import type { TargetSigner } from '../../publisher/sign-target.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import type { Settings } from '../../schemas/settings/settings.ts';

/** What ssh-keygen, ssh-agent and their windows need to know; nothing else of the environment takes part. */
const NEEDED = ['PATH', 'HOME', 'SSH_AUTH_SOCK', 'SSH_ASKPASS', 'SSH_ASKPASS_REQUIRE', 'SSH_SK_PROVIDER', 'DISPLAY'];

/** Who signs by these settings; null: nothing is signed, and nothing of it is loaded. */
export async function signerOf({ app, publisher }: Pick<Settings, 'app' | 'publisher'>): Promise<TargetSigner | null> {
  const { signKey: keyFile, audience } = publisher;
  if (keyFile === undefined || audience === undefined) return null;
  const { createTargetSigner } = await import('../../publisher/sign-target.ts');
  const given = NEEDED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return createTargetSigner({
    keyFile,
    audience,
    app,
    ssh: { clock, env: { ...Object.fromEntries(given), LC_ALL: 'C' } },
  });
}

/** Whom a publisher with these settings signs for; null: it has no key. */
export const audienceOf = ({ publisher }: Pick<Settings, 'publisher'>): string | null =>
  publisher.signKey === undefined ? null : (publisher.audience ?? null);
