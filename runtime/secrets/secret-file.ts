/**
 * Whether others could read or change a secret. A file that we own must be accessible to us alone. One that root owns
 * may be readable by its group, as mounted secrets are (root:agents 0440), unless we are root ourselves.
 */
export function isOpenToOthers(
  file: { readonly mode: number; readonly uid: number },
  me = process.geteuid?.(),
): boolean {
  const forbidden = file.uid === 0 && me !== 0 ? 0o027 : 0o077;
  return (file.mode & forbidden) !== 0;
}
