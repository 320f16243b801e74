import { isIP, type Socket, connect as tcpConnect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import type { Address, TlsMaterial } from './connection-types.ts';

/** Starts a connection to one address, with TLS if there is material for it. */
export function openSocket(address: Address, tls: TlsMaterial | undefined): Socket {
  const at = { host: address.ip, port: address.port };
  if (!tls) return tcpConnect(at);
  const name = tls.servername ?? address.host;
  // An address cannot be sent as a server name; the certificate is then checked against the address itself.
  return tlsConnect({ ...tls, ...at, ...(isIP(name) ? { servername: '' } : { servername: name }) });
}
