import { isIP } from 'node:net';
import type { Format } from '../../schemas/settings/service-settings.ts';
import { addressText } from '../contract.ts';
import type { Instance } from '../instance.ts';
import type { ServiceList } from '../view.ts';

/**
 * A list in the format of a program that reads files. Pure, and the same list gives the same bytes, so that an
 * unchanged file is not written. Hosts and ports passed their parser: they contain no character with a meaning in these
 * files.
 */
export function formatList(format: Format, service: string, list: ServiceList): string {
  const instances = list.instances.toSorted((one, other) => (addressText(one) < addressText(other) ? -1 : 1));
  return WRITERS[format](service, instances, list);
}

const WRITERS: Record<Format, (service: string, instances: readonly Instance[], list: ServiceList) => string> = {
  json: (service, instances, { state }) =>
    text({
      service,
      state,
      instances: instances.map(({ name, host, port, twin }) => ({ name, host, port, ...about(twin) })),
    }),

  haproxy: (service, instances) =>
    lines(
      head(service),
      `backend ${nameIn(service)}`,
      ...instances.map((each) => `  server ${serverName(each)} ${addressText(each)} check`),
    ),

  // Without a server, nginx refuses the whole configuration. A server that is down answers 502 instead.
  nginx: (service, instances) =>
    lines(
      head(service),
      `upstream ${nameIn(service)} {`,
      ...(instances.length > 0
        ? instances.map((each) => `  server ${addressText(each)};`)
        : ['  server 127.0.0.1:9 down;']),
      '}',
    ),

  envoy: (service, instances) =>
    text({
      resources: [
        {
          '@type': 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
          cluster_name: nameIn(service),
          endpoints: [
            {
              lb_endpoints: instances.map(({ host, port }) => ({
                endpoint: { address: { socket_address: { address: host, port_value: port } } },
              })),
            },
          ],
        },
      ],
    }),

  prometheus: (service, instances) =>
    text(instances.map((each) => ({ targets: [addressText(each)], labels: prometheusLabels(service, each) }))),
};

const text = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
const lines = (...all: string[]): string => `${all.join('\n')}\n`;
const head = (service: string): string =>
  `# Written by gitfleet: the instances of ${service}. Changes are overwritten.`;

/** `shop/web` as a name in these files. */
export const nameIn = (service: string): string => service.replace('/', '_');

/** A server's name in HAProxy: its address, without brackets. */
const serverName = (instance: Instance): string => addressText(instance).replace(/[[\]]/g, '');

const about = (twin: Instance['twin']) =>
  twin === null ? {} : { commit: twin.commit, deployment: twin.deployment, labels: twin.labels, unwell: twin.unwell };

function prometheusLabels(service: string, { twin }: Instance): Record<string, string> {
  const own = Object.entries(twin?.labels ?? {}).map(([key, value]) => [key.replace(/[^A-Za-z0-9_]/g, '_'), value]);
  return {
    ...Object.fromEntries(own.filter(([key]) => /^[A-Za-z_]/.test(key as string))),
    service,
    ...(twin ? { agent: twin.agentId, commit: twin.commit ?? '' } : {}),
  };
}

/** HAProxy's servers are addresses; a name would have to be resolved at the wrong moment. */
export const isAddress = ({ host }: Instance): boolean => isIP(host) !== 0;
