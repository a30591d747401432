import type { CallOptions } from "@connectrpc/connect";

/**
 * Every page of a list operation, until there is no next one:
 *
 *     for await (const page of pages(client.stateTracker.listTasks, { cluster: "web" })) { … }
 */
export async function* pages<Request extends object, Answer extends { nextToken?: string | undefined }>(
  list: (request: Request, options?: CallOptions) => Promise<Answer>, request: NoInfer<Request>, options: CallOptions = {},
): AsyncGenerator<Answer, void> {
  let asked = request;
  for (;;) {
    const page = await list(asked, options);
    yield page;
    if (!page.nextToken) {
      return;
    }
    asked = { ...asked, nextToken: page.nextToken };
  }
}

/** Consecutive parts of a list, each of that many items at most. */
export function* pagesOf<T>(items: readonly T[], most: number): Generator<T[]> {
  for (let start = 0; start < items.length; start += most) {
    yield items.slice(start, start + most);
  }
}
