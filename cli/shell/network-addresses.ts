import { networkInterfaces } from 'node:os';

/** All addresses of this machine. Throws where a sandbox forbids the question (a systemd unit without AF_NETLINK). */
export const networkAddresses = () => Object.values(networkInterfaces()).flatMap((all) => all ?? []);
