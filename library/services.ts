/** One entry of a list, for use by a caller. */
export interface ServiceInstance {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** What else gitfleet knows about it; null: another program registered it, or that is not readable. */
  readonly twin: {
    readonly agentId: string;
    readonly commit: string | null;
    readonly deployment: number | null;
    readonly labels: Readonly<Record<string, string>>;
    /** The result of its checks, if the floor keeps it registered although it is unwell. */
    readonly unwell: string | null;
  } | null;
}

export interface InstanceList {
  /**
   * `frozen`: many were lost at once, and those that answer stay. `empty`: there is no instance. `missing`: there is no
   * such service.
   */
  readonly state: 'live' | 'frozen' | 'empty' | 'missing';
  readonly instances: readonly ServiceInstance[];
}

/** Which instances may be picked, and how. Default: any. */
export interface PickOptions {
  /**
   * `random` (the less busy of two), `round-robin`, `least-conn` or `sticky`. Default: `sticky` with a key, else
   * `random`.
   */
  readonly strategy?: 'random' | 'round-robin' | 'least-conn' | 'sticky';
  /** The same key always gets the same instance, for as long as that exists. */
  readonly key?: string;
  /** Only instances that serve this commit, given by the beginning of its id. */
  readonly commit?: string;
  /** Only instances whose labels match. */
  readonly fits?: (labels: Readonly<Record<string, string>>) => boolean;
}

/**
 * `client.services`: which instances serve what. A name is `<business>/<what>`, such as shop/web. The contract:
 * docs/services.md.
 */
export interface Services {
  /** The names of all services. */
  names(): Promise<string[]>;
  /** Reads the list once. A program that calls a service repeatedly should open a `caller`. */
  list(service: string): Promise<InstanceList>;
  /** Reads the list once and picks an instance. @throws FleetError NO_INSTANCE */
  pick(service: string, options?: PickOptions): Promise<ServiceInstance>;
  /** The list now, and after each change. It acknowledges nothing to instances that leave. */
  watch(service: string, options: { readonly signal: AbortSignal }): AsyncIterable<InstanceList>;
  /** A list in memory: picks do not ask ZooKeeper, and instances that leave get acknowledgements. */
  caller(service: string, options?: CallerOptions): Promise<ServiceCaller>;
  /** Keeps an instance of this machine registered while its checks are good. @throws FleetError HOST_UNKNOWN */
  register(service: string, options: RegisterOptions): RegisteredInstance;
}

/**
 * The list of a service in the memory of a program that calls it. An instance that left the list is no longer picked,
 * and gets an acknowledgement once every `call` to it has ended. Two errors within 30 s put an instance aside for 30 s.
 */
export interface ServiceCaller {
  /** The list as currently known. */
  readonly list: InstanceList;
  /** When ZooKeeper last confirmed the list, ms since the epoch; null: it is confirmed now. */
  readonly asOf: number | null;
  /**
   * Requests to the picked instance are not covered when it leaves; use `call` for that. @throws FleetError NO_INSTANCE
   */
  pick(options?: PickOptions): ServiceInstance;
  /** Performs one request at an instance picked for it. @throws FleetError NO_INSTANCE, and what the request throws */
  call<T>(request: (instance: ServiceInstance) => Promise<T>, options?: PickOptions): Promise<T>;
  /** Calls the listener after each change of the list. */
  onChange(listener: () => void): () => void;
  close(): Promise<void>;
}

export interface CallerOptions {
  /** A directory for this program only: its copy of the list counts until ZooKeeper has answered. */
  readonly cache?: string;
  /** Stops waiting for the first list. */
  readonly signal?: AbortSignal;
}

export interface RegisterOptions {
  readonly port: number;
  /** The host under which others reach it. Default: the only address of this machine that others can reach. */
  readonly host?: string;
  /** Its identity across restarts. Default: the host name and the port. */
  readonly id?: string;
  /** A url that must answer 200 to 299. Default: the port must accept connections. */
  readonly check?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface RegisteredInstance {
  /** The name of the registration; null while there is none. */
  readonly name: string | null;
  /** Why it is not registered although it is well, for people. */
  readonly problem: string | null;
  /** Calls the listener after each change of name or problem. */
  onChange(listener: () => void): () => void;
  /**
   * Leaves the list once the floor allows it, and stops registering. Resolves when no known consumer sends further
   * requests, or after `atMostMs`: then the server may be closed. `signal` gives up; it then stays registered.
   */
  leave(options?: LeaveOptions): Promise<Left>;
}

export interface LeaveOptions {
  readonly signal?: AbortSignal;
  /** The shortest wait, for readers that do not acknowledge, ms. Default 1,000. */
  readonly atLeastMs?: number;
  /** The longest wait for consumers, ms. After it, `unacknowledged` names those that are missing. Default 30,000. */
  readonly atMostMs?: number;
}

export interface Left {
  /** No other instance is known: the service is interrupted. */
  readonly alone: boolean;
  /** The ids of the consumers that did not acknowledge in time. */
  readonly unacknowledged: readonly string[];
}
