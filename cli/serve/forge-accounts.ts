import type { ServeSettings } from '../../schemas/settings/serve-settings.ts';
import { type ForgeAccount, knownKind } from '../../serve/forges/repository.ts';

const ENVIRONMENT = 'production';

/** The forges of `serve.forges`, with what they leave out. */
export const forgeAccountsOf = ({ forges }: Pick<ServeSettings, 'forges'>): ForgeAccount[] =>
  forges.map(({ prefix, kind, api, tokenFile, environment = ENVIRONMENT }) => {
    return { prefix, kind: kind ?? knownKind(prefix) ?? 'github', api, tokenFile, environment };
  });
