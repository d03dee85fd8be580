// What is published: its size, its files, and the lock file.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";
import { expect, test } from "vitest";

const here = fileURLToPath(new URL("..", import.meta.url));
const read = (file: string): string => readFileSync(here + file, "utf8");
const manifest = JSON.parse(read("package.json"));

/** Returns the size of what a bundler makes of entry without external, minified and gzipped, in bytes. */
async function size(entry: string, external: string[] = []): Promise<number> {
  const { outputFiles } = await build({
    entryPoints: [here + entry],
    absWorkingDir: here,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    external: ["react", ...external],
    write: false,
  });
  return gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
}

test("the entry is below 3 kB, and with what onSession loads below 5 kB", async () => {
  const entry = await size("dist/index.js", ["./dist/watch.js"]);
  const all = await size("dist/index.js");
  console.info(`the entry: ${entry} bytes gzipped; with what onSession loads: ${all}`);
  expect(entry).toBeGreaterThan(1_000);
  expect(entry).toBeLessThan(3_000);
  expect(all).toBeGreaterThan(entry + 1_000);
  expect(all).toBeLessThan(5_000);
});

test("the React part is below 1.5 kB more", async () => {
  const bytes = await size("dist/react.js");
  console.info(`the React part: ${bytes} bytes gzipped`);
  expect(bytes).toBeLessThan(1_500);
});

test("packed are the files that are built, and no others", () => {
  const printed = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: here, encoding: "utf8" });
  const report = JSON.parse(printed);
  const files: string[] = Object.values<{ files: { path: string }[] }>(report)[0]?.files.map((f) => f.path) ?? [];
  const modules = ["channel", "client", "error", "index", "react", "signin", "store", "stream", "types", "watch"];
  const built = modules.flatMap((m) => [`dist/${m}.d.ts`, `dist/${m}.js`]);
  expect(files.sort()).toEqual(["LICENSE", "README.md", ...built, "package.json"].sort());
});

test("the package needs nothing, and says what it is", () => {
  expect(manifest.dependencies).toBeUndefined();
  expect(manifest.peerDependenciesMeta).toEqual({ react: { optional: true } });
  expect(manifest.sideEffects).toBe(false);
  for (const [name, version] of Object.entries(manifest.devDependencies)) {
    expect([name, version]).toEqual([name, expect.stringMatching(/^\d+\.\d+\.\d+$/)]);
  }
});

test("the core doesn't know of React", () => {
  for (const m of ["channel", "client", "error", "index", "signin", "stream", "types", "watch"]) {
    expect(read(`dist/${m}.js`)).not.toMatch(/react/i);
  }
});

test("the lock file names no registry: it works with any", () => {
  const packages = Object.values<{ resolved?: string }>(JSON.parse(read("package-lock.json")).packages);
  expect(packages.filter((p) => p.resolved)).toEqual([]);
});

test("the license is the repository's", () => {
  if (existsSync(`${here}../../LICENSE`)) expect(read("LICENSE")).toBe(read("../../LICENSE"));
});
