import { Gauge, Registry } from 'prom-client';

interface ServerMetrics {
  readonly registry: Registry;
  readonly contentType: string;
  /** In the text format of Prometheus. */
  text(): Promise<string>;
}

/** What `gitfleet serve` exports about itself; the fleet's metrics are added to the same registry. */
export function createServerMetrics(parts: {
  readonly app: string;
  readonly version: string;
  readonly streams: () => number;
  readonly isStale: () => boolean;
}): ServerMetrics {
  const registry = new Registry();
  registry.setDefaultLabels({ app: parts.app });
  const registers = [registry];
  const build = new Gauge({
    name: 'gitfleet_server_build_info',
    help: 'Always 1; the version is a label',
    labelNames: ['version'],
    registers,
  });
  build.set({ version: parts.version }, 1);
  looked('gitfleet_server_streams', 'Clients that follow the stream of events', parts.streams, registers);
  const stale = () => (parts.isStale() ? 1 : 0);
  looked('gitfleet_server_stale', '1 while ZooKeeper does not confirm the state', stale, registers);
  return { registry, contentType: registry.contentType, text: () => registry.metrics() };
}

/** Read at each scrape. */
function looked(name: string, help: string, look: () => number, registers: Registry[]): void {
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(look());
    },
  });
}
