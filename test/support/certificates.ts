import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** Key and certificate in one PEM, as the server's key store requires them. */
  readonly storeFile: string;
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  readonly caFile: string;
  readonly ca: string;
  issue(name: string, subjectAltName?: string): Certificate;
}

/** A certificate authority for one test file, made with openssl. */
export function makeAuthority(folder: string, name = 'ca'): Authority {
  const at = (file: string) => join(folder, `${name}-${file}`);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const caKey = at('ca.key');
  const caFile = at('ca.pem');
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    caKey,
    '-out',
    caFile,
  );

  return {
    caFile,
    ca: readFileSync(caFile, 'utf8'),
    issue(who, subjectAltName = 'DNS:localhost,IP:127.0.0.1') {
      const files = { certFile: at(`${who}.pem`), keyFile: at(`${who}.key`), storeFile: at(`${who}-store.pem`) };
      const request = at(`${who}.csr`);
      const extensions = at(`${who}.ext`);
      writeFileSync(extensions, `subjectAltName=${subjectAltName}\n`);
      openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${who}`, '-keyout', files.keyFile, '-out', request);
      openssl(
        ...['x509', '-req', '-in', request, '-CA', caFile, '-CAkey', caKey, '-CAcreateserial', '-days', '2'],
        ...['-extfile', extensions, '-out', files.certFile],
      );
      const cert = readFileSync(files.certFile, 'utf8');
      const key = readFileSync(files.keyFile, 'utf8');
      writeFileSync(files.storeFile, key + cert);
      return { ...files, cert, key };
    },
  };
}
