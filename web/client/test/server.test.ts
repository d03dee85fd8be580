// Where there is no browser.

import { expect, test } from "vitest";

import { createClient } from "../src/index.js";

test("a client may be made on a server, and does nothing there", () => {
  expect(globalThis).not.toHaveProperty("location");
  expect(createClient()).toHaveProperty("fetch");
});
