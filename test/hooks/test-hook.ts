import type { HookSettings } from '../../hooks/hook-settings.ts';
import type { RelativePath, RepositoryUrl } from '../../schemas/values.ts';

/** An installation with as little as there can be; a test says what differs. */
export const aHook = (more: Partial<HookSettings> = {}): HookSettings => ({
  zookeeper: 'zk1:2181',
  app: '/app/business',
  branch: 'main',
  relativePath: 'shop' as RelativePath,
  url: 'https://git.example.com/shop.git' as RepositoryUrl,
  ...{ authFile: null, settings: null, tlsCaFile: null, tlsCertFile: null, tlsKeyFile: null },
  ...{ signKey: null, audience: null, bundle: null, gate: null },
  ...more,
});
