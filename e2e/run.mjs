// npm test: builds once, then runs the test files. Arguments name test files,
// without any all of them run.

import { spawn } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { build, e2e } from './harness/build.mjs';
import { installVite } from './harness/vite.mjs';

rmSync(join(e2e, 'results'), { recursive: true, force: true });
build();
installVite();

const named = process.argv.slice(2);
const files = named.length > 0 ? named
  : readdirSync(join(e2e, 'test')).filter((f) => f.endsWith('.test.mjs')).map((f) => join(e2e, 'test', f));

// Two files at a time: they wait for tokens to expire more than they work.
const tests = spawn(process.execPath,
  ['--test', '--test-concurrency=2', '--test-reporter=spec', ...files],
  { cwd: e2e, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => tests.kill(signal));
tests.on('exit', (code) => process.exit(code ?? 1));
