import { describe, expect, it } from 'vitest';
import { FORMATS } from '../../schemas/settings/service-settings.ts';
import type { Instance } from '../../services/instance.ts';
import type { ServiceList } from '../../services/view.ts';
import { formatList } from '../../services/write/formats.ts';
import { parseSlots, planSlots } from '../../services/write/haproxy-slots.ts';

const one: Instance = { name: 'web-1-aaaaaaaa', host: '10.0.0.1', port: 8080, twin: null };
const two: Instance = {
  ...{ name: 'web-2-bbbbbbbb', host: 'fd00::2', port: 8080 },
  twin: {
    ...{ agentId: 'web-2', machineId: 'm', host: 'fd00::2', port: 8080, commit: 'c0ffee', deployment: 7 },
    ...{ labels: { role: 'web', 'a-b/c': '1' }, state: 'in', unwell: null },
  },
};
const list = (...instances: Instance[]): ServiceList => ({
  ...{ state: instances.length > 0 ? 'live' : 'empty', instances, mark: 1n, left: [] },
});

describe('a list as a file', () => {
  it.each(FORMATS)('%s', (format) => {
    expect(formatList(format, 'shop/web', list(two, one))).toMatchSnapshot();
    expect(formatList(format, 'shop/web', list())).toMatchSnapshot();
    expect(formatList(format, 'shop/web', list(two, one))).toBe(formatList(format, 'shop/web', list(one, two)));
  });
});

describe('the servers of a HAProxy backend', () => {
  const slot = (name: string, address: string, ready: boolean) => ({ name, address, ready });
  const plan = (slots: ReturnType<typeof slot>[], ...instances: Instance[]) => planSlots('shop', slots, instances);

  it('first lose who left, then get who is new', () => {
    const planned = plan([slot('s1', '10.9.9.9:80', true), slot('s2', '10.0.0.1:8080', true)], one, two);
    expect(planned).toEqual({
      commands: [
        'set server shop/s1 state maint',
        'set server shop/s1 addr fd00::2 port 8080',
        'set server shop/s1 state ready',
      ],
      left: [],
    });
  });

  it('stay as they are where nothing changed, come back where they were, and say who found no place', () => {
    expect(plan([slot('s1', '10.0.0.1:8080', true)], one).commands).toEqual([]);
    expect(plan([slot('s1', '10.0.0.1:8080', false)], one).commands).toEqual(['set server shop/s1 state ready']);
    expect(plan([slot('s1', '10.0.0.1:8080', true)], one, two).left).toEqual([two]);
    expect(plan([slot('s1', '127.0.0.1:1', false)]).commands).toEqual([]);
  });

  it('are read from what HAProxy 2.6 answers', () => {
    const answer = [
      '1',
      '# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_port',
      '3 shop 1 web1 10.0.0.1 2 4 1 8080',
      '3 shop 2 web2 127.0.0.1 0 5 1 1',
      '3 shop 3 web3 10.0.0.3 2 8 1 80',
      '',
    ].join('\n');
    expect(parseSlots(answer)).toEqual([
      slot('web1', '10.0.0.1:8080', true),
      slot('web2', '127.0.0.1:1', false),
      slot('web3', '10.0.0.3:80', false),
    ]);
    expect(parseSlots("Can't find backend.\n")).toEqual([]);
  });
});
