import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/*.test.ts"],
    // A browser for each file: BroadcastChannels connect all threads of a process.
    pool: "forks",
  },
});
