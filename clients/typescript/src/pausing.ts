const FIRST_MS = 50;
const LONGEST_MS = 1_000;

/** Pauses between attempts: doubling, capped, each drawn between zero and the ceiling. */
export class Pauses {
  #ceiling = FIRST_MS;

  /** Milliseconds to wait now. */
  next(): number {
    const pause = Math.random() * this.#ceiling;
    this.#ceiling = Math.min(LONGEST_MS, this.#ceiling * 2);
    return pause;
  }

  /** Begin again with the first: what was retried has worked. */
  reset(): void {
    this.#ceiling = FIRST_MS;
  }
}

/** Wait, or until the signal; that is the caller's to look at. */
export async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
    if (signal?.aborted) {
      done();
    }
  });
}
