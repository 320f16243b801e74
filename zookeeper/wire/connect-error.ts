/** Why there is no connection to a server, for a person, followed by the system's error code if it is a known one. */
export function connectError(error: NodeJS.ErrnoException & { readonly hostname?: string }): string {
  const { code = '', hostname = '', message } = error;
  const words = WORDS[code]?.(hostname);
  return words === undefined ? message : `${words} (${code})`;
}

const WORDS: Readonly<Record<string, (name: string) => string>> = {
  ECONNREFUSED: () => 'the connection was refused',
  ETIMEDOUT: () => 'the connection was not answered',
  ENETUNREACH: () => 'there is no way to its network',
  EHOSTUNREACH: () => 'there is no way to this host',
  ENOTFOUND: (name) => `the name ${name} is not known`,
  EAI_AGAIN: (name) => `the name ${name} cannot be looked up now`,
};

/** During the handshake, when a server gives no reason. */
export const HUNG_UP_AT_ONCE = {
  why: 'refused',
  words: 'the server hung up at once: it has no quorum, or too many connections from this address (maxClientCnxns)',
} as const;
