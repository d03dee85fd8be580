// Certificates for one run: one for the app, one for the provider. Each is its
// own authority, so that Cloakroom can be told to believe the provider's alone.

import { spawnSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** makeCerts writes <dir>/app and <dir>/provider, each with cert.pem and key.pem. */
export function makeCerts(dir) {
  const goroot = run('go', ['env', 'GOROOT'], dir).trim();
  for (const name of ['app', 'provider']) {
    const into = join(dir, name);
    mkdirSync(into, { recursive: true });
    run('go', ['run', join(goroot, 'src/crypto/tls/generate_cert.go'),
      '--host', 'localhost,127.0.0.1,127.0.0.2', '--ca', '--ecdsa-curve', 'P256'], into);
  }
}

/** loadCert reads one of them. spki is what Chromium takes to trust it. */
export function loadCert(dir, name) {
  const certFile = join(dir, name, 'cert.pem');
  const keyFile = join(dir, name, 'key.pem');
  const cert = readFileSync(certFile);
  const spki = createHash('sha256')
    .update(new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');
  return { certFile, keyFile, cert, key: readFileSync(keyFile), spki };
}

function run(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (error || status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? stderr}`);
  return stdout;
}
