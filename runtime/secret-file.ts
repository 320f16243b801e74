/**
 * Whether others could read or change a secret. A file of our own must be ours alone. One that belongs to root may be
 * read by its group, for that is how secrets are mounted (root:agents 0440), unless we are root ourselves.
 */
export function isOpenToOthers(
  file: { readonly mode: number; readonly uid: number },
  me = process.geteuid?.(),
): boolean {
  const forbidden = file.uid === 0 && me !== 0 ? 0o027 : 0o077;
  return (file.mode & forbidden) !== 0;
}
