/**
 * Variables that a container platform sets for a service or container called `gitfleet`, `gitfleet-agent` ...:
 * Kubernetes service links (`GITFLEET_SERVICE_HOST`, `GITFLEET_AGENT_PORT_9180_TCP_ADDR`) and Docker's links
 * (`GITFLEET_NAME`, `GITFLEET_ENV_LANG`). They are neither settings of ours nor misspelt ones. A name that could also
 * be meant as a setting counts only with a value that only the platform writes.
 */
export function isLinkVariable(name: string, environment: Readonly<Record<string, string | undefined>>): boolean {
  const value = environment[name] ?? '';
  if (SERVICE.test(name) || PORT_OF_LINK.test(name)) return true;
  if (/^GITFLEET(_[A-Z0-9_]+)?_PORT$/.test(name)) return /^(tcp|udp|sctp):\/\//.test(value);
  if (/^GITFLEET(_[A-Z0-9_]+)?_NAME$/.test(name)) return isLinkName(value);
  const linked = /^(GITFLEET(?:_[A-Z0-9_]+?)?)_ENV_/.exec(name)?.[1];
  return linked !== undefined && isLinkName(environment[`${linked}_NAME`] ?? '');
}

const SERVICE = /^GITFLEET(_[A-Z0-9_]+)?_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$/;
const PORT_OF_LINK = /^GITFLEET(_[A-Z0-9_]+)?_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;

/** `/web-1/gitfleet`: the linked containers. */
const isLinkName = (value: string): boolean => /^\/[^/\s]+\/[^/\s]+$/.test(value);

/** The link variables of an environment, by name. */
export const linkVariables = (environment: Readonly<Record<string, string | undefined>>): string[] =>
  Object.keys(environment).filter((name) => name.startsWith('GITFLEET_') && isLinkVariable(name, environment));
