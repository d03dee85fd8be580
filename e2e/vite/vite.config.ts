import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';

import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** precompress lays .br and .gz files beside what was built. */
function precompress(): Plugin {
  let dir = '';
  return {
    name: 'precompress',
    apply: 'build',
    configResolved(config) { dir = join(config.root, config.build.outDir); },
    closeBundle() {
      for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
        const file = join(dir, name);
        if (!statSync(file).isFile() || !/\.(js|css|html|svg)$/.test(name)) continue;
        const content = readFileSync(file);
        writeFileSync(`${file}.br`, brotliCompressSync(content));
        writeFileSync(`${file}.gz`, gzipSync(content));
      }
    },
  };
}

/** inline puts a script into the page itself, as only a nonce allows. */
const inline: Plugin = {
  name: 'inline',
  transformIndexHtml: () => [{ tag: 'script', children: "document.documentElement.dataset.inline = 'ran';", injectTo: 'head' }],
};

// With CSP_NONCE the page is built for a spa.csp that has 'nonce-{nonce}'.
const nonced = Boolean(process.env.CSP_NONCE);

export default defineConfig({
  plugins: [react(), precompress(), ...(nonced ? [inline] : [])],
  html: nonced ? { cspNonce: '{nonce}' } : {},
  // The tests serve a copy of this folder that lies inside it.
  server: { fs: { allow: ['..'] } },
});
