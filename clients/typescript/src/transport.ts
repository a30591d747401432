import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { SecureClientSessionOptions } from "node:http2";

import {
  clone,
  create,
  type DescMessage,
  type DescMethodStreaming,
  type DescMethodUnary,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { Code, type ContextValues, type StreamResponse, type Transport, type UnaryResponse } from "@connectrpc/connect";
import { createGrpcTransport, type GrpcTransportOptions, Http2SessionManager } from "@connectrpc/connect-node";

import { LongshoreError, named } from "./errors.js";
import { Pauses, sleep } from "./pausing.js";

/**
 * The header that names a request. Calls that bring none get one, the same for all their repetitions. It is in the components'
 * logs and in the events that the request causes.
 */
export const REQUEST_ID_HEADER = "longshore-request-id";

/** The deadline of a call that names none: well above a change of leader, well below a person's patience. */
const DEADLINE_MS = 30_000;

const MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024; // the servers' own
const PING_INTERVAL_MS = 10_000; // servers take it as an offence below 5 s
const PING_TIMEOUT_MS = 5_000;

/** Calls that start containers anew when repeated, and take no client token: ECS's StartTask has none. */
const NOT_REPEATED = new Set(["longshore.v1.SchedulerService.StartTask"]);

export interface TransportOptions {
  tls?: SecureClientSessionOptions | undefined;
  transport?: Partial<GrpcTransportOptions> | undefined;
}

/**
 * One component behind all its replicas: a call goes to the one in use, and to the next after that was UNAVAILABLE. Calls are
 * repeated until their deadline; streams are not, they resume from their cursor.
 */
export class ReplicatedTransport implements Transport {
  readonly #replicas: readonly Transport[];
  readonly #sessions: readonly Http2SessionManager[];
  #current = 0;

  constructor(addresses: readonly string[], options: TransportOptions) {
    const urls = shuffled(addresses).map((address) => `${options.tls ? "https" : "http"}://${address}`);
    const pings = { pingIntervalMs: PING_INTERVAL_MS, pingTimeoutMs: PING_TIMEOUT_MS, pingIdleConnection: true };
    this.#sessions = urls.map((url) => new Http2SessionManager(url, { ...pings, ...options.transport }, options.tls));
    this.#replicas = urls.map((baseUrl, index) =>
      createGrpcTransport({
        baseUrl,
        readMaxBytes: MESSAGE_LIMIT_BYTES,
        ...options.transport,
        sessionManager: this.#sessions[index]!,
      }),
    );
  }

  /** Close the connections. Calls under way fail. */
  close(): void {
    this.#sessions.forEach((session) => session.abort());
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: MessageInitShape<I>,
    contextValues?: ContextValues,
  ): Promise<UnaryResponse<I, O>> {
    const request = tokened(method.input, input);
    const sent = identified(header);
    const end = performance.now() + (timeoutMs ?? DEADLINE_MS);
    const repeated = !NOT_REPEATED.has(`${method.parent.typeName}.${method.name}`);
    const pauses = new Pauses();
    let last: LongshoreError | undefined;
    for (;;) {
      const index = this.#current;
      const left = Math.max(1, Math.ceil(end - performance.now()));
      try {
        return await this.#replicas[index]!.unary(method, signal, left, sent, request, contextValues);
      } catch (thrown) {
        const error = named(thrown, signal?.aborted ?? false);
        if (error.code === Code.DeadlineExceeded) {
          throw last ?? error; // whoever was UNAVAILABLE before knows why
        }
        if (error.code !== Code.Unavailable) {
          throw error;
        }
        this.#leave(index);
        const pause = pauses.next();
        if (!repeated || signal?.aborted || performance.now() + pause >= end) {
          throw error;
        }
        last = error;
        await sleep(pause, signal);
      }
    }
  }

  async stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: AsyncIterable<MessageInitShape<I>>,
    contextValues?: ContextValues,
  ): Promise<StreamResponse<I, O>> {
    const index = this.#current;
    const failed = (thrown: unknown): LongshoreError => {
      const error = named(thrown, signal?.aborted ?? false);
      if (error.code === Code.Unavailable) {
        this.#leave(index);
      }
      return error;
    };
    try {
      const answer = await this.#replicas[index]!.stream(method, signal, timeoutMs, identified(header), input, contextValues);
      return { ...answer, message: naming(answer.message, failed) };
    } catch (thrown) {
      throw failed(thrown);
    }
  }

  /** Go to the next replica, where nobody else has done so already. */
  #leave(index: number): void {
    if (this.#current === index) {
      this.#current = (index + 1) % this.#replicas.length;
    }
  }
}

async function* naming<T>(messages: AsyncIterable<T>, failed: (thrown: unknown) => LongshoreError): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (thrown) {
    throw failed(thrown);
  }
}

/** A request that takes a client token has one, so that its repetitions act once. */
function tokened<I extends DescMessage>(schema: I, input: MessageInitShape<I>): MessageInitShape<I> {
  const field = schema.fields.find((each) => each.name === "client_token");
  if (field === undefined) {
    return input;
  }
  const request = reflect(schema, clone(schema, create(schema, input)));
  if (!request.get(field)) {
    request.set(field, randomUUID());
  }
  return request.message as MessageInitShape<I>;
}

function identified(header: HeadersInit | undefined): Headers {
  const sent = new Headers(header);
  if (!sent.has(REQUEST_ID_HEADER)) {
    sent.set(REQUEST_ID_HEADER, randomUUID().replaceAll("-", ""));
  }
  return sent;
}

/** So that many clients spread over the replicas. */
function shuffled(addresses: readonly string[]): string[] {
  const found = [...addresses];
  for (let last = found.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [found[last], found[other]] = [found[other]!, found[last]!];
  }
  return found;
}

/** What LONGSHORE_TLS_{CERT,KEY,CA}_FILE say; undefined where none is set. */
export function tlsOf(environment: Readonly<Record<string, string | undefined>>): SecureClientSessionOptions | undefined {
  const file = (kind: string): { [part: string]: Buffer } => {
    const path = environment[`LONGSHORE_TLS_${kind}_FILE`];
    return path ? { [kind.toLowerCase()]: readFileSync(path) } : {};
  };
  const found: SecureClientSessionOptions = { ...file("CERT"), ...file("KEY"), ...file("CA") };
  if ((found.cert === undefined) !== (found.key === undefined)) {
    throw new Error("A client certificate needs both LONGSHORE_TLS_CERT_FILE and LONGSHORE_TLS_KEY_FILE.");
  }
  return found.cert || found.ca ? found : undefined;
}
