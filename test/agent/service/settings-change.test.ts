import { describe, expect, it } from 'vitest';
import { changeSettings } from '../../../agent/service/settings-change.ts';
import { parseSettings } from '../../../schemas/settings/settings.ts';

const parse = (raw: { agent?: object; [section: string]: unknown }) =>
  parseSettings({ zookeeper: { connect: 'zk1' }, ...raw, agent: { root: '/srv/www', ...raw.agent } }, 'web-1');
const running = parse({ agent: { allowUrls: ['https://a'], activate: { command: ['/bin/true'] } } });

describe('changeSettings', () => {
  it('finds nothing where nothing changed', () => {
    expect(changeSettings(running, structuredClone(running))).toEqual({
      settings: running,
      applied: [],
      needRestart: [],
    });
  });

  it('takes over what is read at each use, names what is not, and mixes neither up', () => {
    const read = parse({
      zookeeper: { connect: 'zk2' },
      app: '/app/other',
      agent: {
        id: 'web-2',
        root: '/srv/other',
        state: '/var/other',
        allowUrls: ['https://b'],
        drift: 'heal',
        keepReleases: 9,
      },
      log: { level: 'debug' },
      publisher: { timeout: '1m' },
    });
    const { settings, applied, needRestart } = changeSettings(running, read);
    expect(applied).toEqual(['agent.activate', 'agent.allowUrls', 'agent.drift', 'agent.keepReleases', 'log.level']);
    expect(needRestart).toEqual(['agent.id', 'agent.root', 'agent.state', 'app', 'zookeeper.connect']);
    expect(settings).toEqual({
      ...running,
      agent: { ...parse({}).agent, allowUrls: ['https://b'], drift: 'heal', keepReleases: 9 },
      log: { level: 'debug', format: 'auto' },
    });
    // Put back, nothing waits for a restart any more.
    expect(changeSettings(settings, running).needRestart).toEqual([]);
    expect(changeSettings(settings, running).settings).toEqual(running);
  });
});
