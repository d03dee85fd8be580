// Waiting for something to be so, never for time to pass.

/**
 * until polls fn till it returns something truthy, and returns that. Past the
 * deadline (ms) it throws, naming what it waited for.
 */
export async function until(what, fn, deadline = 10_000) {
  const end = Date.now() + deadline;
  for (;;) {
    const value = await fn();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${deadline} ms for: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 25); });
  }
}

/** within fails if promise takes longer than ms. */
export async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** gate holds whoever awaits passed() between close() and open(); waiting counts them. */
export function gate() {
  let open = Promise.resolve();
  let release = () => {};
  const g = {
    waiting: 0,
    close() { open = new Promise((resolve) => { release = resolve; }); },
    open() { release(); },
    async passed() {
      g.waiting += 1;
      await open;
      g.waiting -= 1;
    },
  };
  return g;
}
