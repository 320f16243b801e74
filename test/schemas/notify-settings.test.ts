import { describe, expect, it } from 'vitest';
import { TOLD } from '../../schemas/settings/serve-notify-settings.ts';
import { serveSection } from '../../schemas/settings/serve-settings.ts';
import { WHATS } from '../../serve/tell/event.ts';

const parse = (serve: object) => serveSection().safeParse(serve);
const webhook = { name: 'ops', kind: 'webhook', url: 'https://events.example.com/in', secretFile: '/k' };
const forge = { prefix: 'https://github.com/acme', tokenFile: '/t' };

describe('serve.notify and serve.forges', () => {
  it('take a sink of each kind, and a forge that is known by its host', () => {
    const notify = [
      webhook,
      { name: 'chat', kind: 'slack', urlFile: '/u', only: ['failed'] },
      { name: 'mail', kind: 'command', command: ['mail'], timeout: '5s' },
    ];
    expect(parse({ notify, forges: [forge] }).data).toMatchObject({
      notify: [{ name: 'ops' }, { only: ['failed'] }, { timeout: 5_000 }],
      forges: [{ prefix: 'https://github.com/acme' }],
      silentAfter: 600_000,
    });
  });

  it.each([
    ['a name that is no znode of its own', { notify: [{ ...webhook, name: '../x' }] }],
    ['the name of the forges', { notify: [{ ...webhook, name: 'forge' }] }],
    ['one name twice', { notify: [webhook, webhook] }],
    ['an address without encryption', { notify: [{ ...webhook, url: 'http://events.example.com/' }] }],
    ['an address with credentials', { notify: [{ ...webhook, url: 'https://a:b@events.example.com/' }] }],
    ['a secret in the settings', { notify: [{ ...webhook, secret: 'whsec_x' }] }],
    ['a member of another kind', { notify: [{ ...webhook, urlFile: '/u' }] }],
    ['a member that is missing', { notify: [{ name: 'chat', kind: 'slack' }] }],
    ['an unknown event', { notify: [{ ...webhook, only: ['exploded'] }] }],
    ['a forge whose kind is not known', { forges: [{ ...forge, prefix: 'https://git.example.com' }] }],
    ['a token in the settings', { forges: [{ ...forge, token: 'x' }] }],
  ])('refuse %s', (_, serve) => expect(parse(serve).success).toBe(false));

  it('know each event that is told', () => expect([...TOLD].sort()).toEqual([...WHATS].sort()));
});
