/** One entry of a list, as a caller may use it. */
export interface ServiceInstance {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** What gitfleet knows of it besides; null: another program registered it. */
  readonly twin: {
    readonly agentId: string;
    readonly commit: string | null;
    readonly deployment: number | null;
    readonly labels: Readonly<Record<string, string>>;
    /** What its checks say, where the floor keeps it registered all the same. */
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

/** Which of the instances; each may be picked by default. */
export interface PickOptions {
  /** `random` (the less busy of two), `round-robin`, `least-conn` or `sticky`. Default: `sticky` with a key. */
  readonly strategy?: 'random' | 'round-robin' | 'least-conn' | 'sticky';
  /** Stays at its instance for as long as that is there. */
  readonly key?: string;
  /** Only instances that serve this commit, by the beginning of its id. */
  readonly commit?: string;
  /** Only instances whose labels fit. */
  readonly fits?: (labels: Readonly<Record<string, string>>) => boolean;
}

/** `client.services`: who serves what. A name is `<business>/<what>`, such as shop/web; docs/services.md is the contract. */
export interface Services {
  /** The names of all services. */
  names(): Promise<string[]>;
  /** One reading. A program that calls a service again and again opens a `caller`. */
  list(service: string): Promise<InstanceList>;
  /** One reading, and one instance of it. @throws FleetError NO_INSTANCE */
  pick(service: string, options?: PickOptions): Promise<ServiceInstance>;
  /** The list now, and after each change. It acknowledges nothing to instances that leave. */
  watch(service: string, options: { readonly signal: AbortSignal }): AsyncIterable<InstanceList>;
  /** A list in memory, picks without asking ZooKeeper, and acknowledgements to instances that leave. */
  caller(service: string, options?: CallerOptions): Promise<ServiceCaller>;
  /** Keeps an instance of this machine registered while its checks are good. @throws FleetError HOST_UNKNOWN */
  register(service: string, options: RegisterOptions): RegisteredInstance;
}

/**
 * The list of a service in the memory of a program that calls it. An instance that left its list is not picked any more,
 * and hears so once every `call` to it has ended. Two errors within 30 s put an instance aside for 30 s.
 */
export interface ServiceCaller {
  /** As it is known now. */
  readonly list: InstanceList;
  /** When ZooKeeper confirmed the list last, ms since the epoch; null: it is confirmed now. */
  readonly asOf: number | null;
  /** What is sent to it is not covered when it leaves; `call` covers it. @throws FleetError NO_INSTANCE */
  pick(options?: PickOptions): ServiceInstance;
  /** One request at an instance that is picked for it. @throws FleetError NO_INSTANCE, and what the request throws */
  call<T>(request: (instance: ServiceInstance) => Promise<T>, options?: PickOptions): Promise<T>;
  /** After each change of the list. */
  onChange(listener: () => void): () => void;
  close(): Promise<void>;
}

export interface CallerOptions {
  /** A directory of this program alone: what it holds of the list counts until ZooKeeper has answered. */
  readonly cache?: string;
  /** Ends the waiting for the first list. */
  readonly signal?: AbortSignal;
}

export interface RegisterOptions {
  readonly port: number;
  /** How others reach it. Default: the only address of this machine that others reach. */
  readonly host?: string;
  /** Who it is, beyond a restart. Default: the host name and the port. */
  readonly id?: string;
  /** A url that answers 200 to 299. Default: the port accepts connections. */
  readonly check?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface RegisteredInstance {
  /** Of the registration; null while there is none. */
  readonly name: string | null;
  /** Why it is not registered although it is well, for people. */
  readonly problem: string | null;
  /** After each change of name or problem. */
  onChange(listener: () => void): () => void;
  /**
   * Leaves the list once the floor allows it, and ends the keeping. Resolves when no consumer that is known sends
   * anything more: after it the server may be closed. `signal` gives up; it then stays registered.
   */
  leave(options?: LeaveOptions): Promise<Left>;
}

export interface LeaveOptions {
  readonly signal?: AbortSignal;
  /** For readers that acknowledge nothing, ms. Default 1,000. */
  readonly atLeastMs?: number;
  /** Then it resolves, and names who has not acknowledged, ms. Default 30,000. */
  readonly atMostMs?: number;
}

export interface Left {
  /** No other instance is known: the service is interrupted. */
  readonly alone: boolean;
  /** The consumers that did not acknowledge in time. */
  readonly unacknowledged: readonly string[];
}
