import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/*.test.ts"],
    // An error that nobody caught is a failure, also when it comes late.
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
