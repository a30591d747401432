import { clone, create, type MessageInitShape } from "@bufbuild/protobuf";
import { type CallOptions, Code } from "@connectrpc/connect";

import type { Client } from "./client.js";
import { LongshoreError } from "./errors.js";
import {
  ReadLogsRequestSchema,
  type ReadLogsResponse,
  WatchEventsRequestSchema,
  type WatchEventsResponse,
} from "./generated/longshore/v1/state_tracker_service_pb.js";
import { Pauses, sleep } from "./pausing.js";

const LOGS_GIVEN_UP_AFTER_MS = 30_000;

export async function* watch(
  client: Client,
  request: MessageInitShape<typeof WatchEventsRequestSchema>,
  options: CallOptions,
): AsyncGenerator<WatchEventsResponse, void> {
  const asked = clone(WatchEventsRequestSchema, create(WatchEventsRequestSchema, request));
  yield* resumed(
    options,
    (limits) => client.stateTracker.watchEvents(asked, limits),
    (answer) => {
      if (answer.cursor !== undefined) {
        asked.cursor = answer.cursor;
      }
    },
    () => false,
  );
}

export async function* logs(
  client: Client,
  request: MessageInitShape<typeof ReadLogsRequestSchema>,
  options: CallOptions,
): AsyncGenerator<ReadLogsResponse, void> {
  const asked = clone(ReadLogsRequestSchema, create(ReadLogsRequestSchema, request));
  let heard = performance.now();
  yield* resumed(
    options,
    (limits) => client.stateTracker.readLogs(asked, limits),
    (answer) => {
      asked.cursor = answer.cursor;
      heard = performance.now();
    },
    (error) => error === undefined || (!asked.follow && performance.now() - heard > LOGS_GIVEN_UP_AFTER_MS),
  );
}

/**
 * The answers of a stream that is begun anew each time it is lost. What an answer moves on is moved on before it is handed out:
 * whoever took it has it, however the stream ends. `ends` is asked about the stream's error, or its end without one.
 */
async function* resumed<Answer>(
  options: CallOptions,
  begin: (limits: CallOptions) => AsyncIterable<Answer>,
  moveOn: (answer: Answer) => void,
  ends: (error: LongshoreError | undefined) => boolean,
): AsyncGenerator<Answer, void> {
  const pauses = new Pauses();
  const end = options.timeoutMs === undefined ? undefined : performance.now() + options.timeoutMs;
  for (;;) {
    const left = new AbortController();
    const signals = options.signal ? [options.signal, left.signal] : [left.signal];
    const limits: CallOptions = { ...options, signal: AbortSignal.any(signals) };
    if (end !== undefined) {
      limits.timeoutMs = Math.max(1, Math.ceil(end - performance.now()));
    }
    let lost: LongshoreError | undefined;
    try {
      for await (const answer of begin(limits)) {
        pauses.reset();
        moveOn(answer);
        yield answer;
      }
    } catch (error) {
      if (!(error instanceof LongshoreError) || error.code !== Code.Unavailable || ends(error)) {
        throw error;
      }
      lost = error;
    } finally {
      left.abort(); // whoever leaves the loop is done with the stream
    }
    if (lost === undefined && ends(undefined)) {
      return;
    }
    await sleep(pauses.next(), options.signal);
  }
}
