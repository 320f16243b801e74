/** What commands of the operator (a check, a reload) get of this process's environment: no credential, no setting. */
export const commandEnvironment = () => ({
  PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
});
