import { networkInterfaces } from 'node:os';

/** All addresses of this machine. Throws if a sandbox forbids reading them (a systemd unit without AF_NETLINK). */
export const networkAddresses = () => Object.values(networkInterfaces()).flatMap((all) => all ?? []);
