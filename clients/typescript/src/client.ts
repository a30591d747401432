import type { SecureClientSessionOptions } from "node:http2";
import process from "node:process";

import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CallOptions, type Client as Stub, createClient } from "@connectrpc/connect";
import type { GrpcTransportOptions } from "@connectrpc/connect-node";

import { type Addresses, checked, resolve } from "./addresses.js";
import type { TaskState } from "./following.js";
import { RegistryService } from "./generated/longshore/v1/registry_service_pb.js";
import { SchedulerService } from "./generated/longshore/v1/scheduler_service_pb.js";
import {
  type ReadLogsRequestSchema,
  type ReadLogsResponse,
  StateTrackerService,
  type WatchEventsRequestSchema,
  type WatchEventsResponse,
} from "./generated/longshore/v1/state_tracker_service_pb.js";
import { logs, watch } from "./streaming.js";
import { ReplicatedTransport, tlsOf } from "./transport.js";
import { type Placed, waitUntil } from "./waiting.js";

export interface ConnectOptions {
  /** A host; the components are at their usual ports there. The environment is not asked. */
  server?: string;
  /** Each component's own addresses. The environment is not asked. */
  addresses?: Addresses;
  /** What connections are secured with, in place of the files that LONGSHORE_TLS_CERT_FILE, _KEY_FILE and _CA_FILE name. */
  tls?: SecureClientSessionOptions;
  /** Options of Connect's own (interceptors, compression, message sizes); they win over ours. */
  transport?: Partial<GrpcTransportOptions>;
}

/**
 * A client of the control plane that the options name, or else the variables LONGSHORE_SERVER, or LONGSHORE_REGISTRY,
 * LONGSHORE_SCHEDULER and LONGSHORE_STATE_TRACKER (lists of host:port, for replicas), or else of this machine's. Nothing is sent
 * yet: a component that is away shows at the first call.
 */
export function connect(options: ConnectOptions = {}): Client {
  return new Client(options);
}

/** A stub for each component, and what is made of their calls. */
export class Client {
  readonly registry: Stub<typeof RegistryService>;
  readonly scheduler: Stub<typeof SchedulerService>;
  readonly stateTracker: Stub<typeof StateTrackerService>;
  readonly #open: ReplicatedTransport[] = [];

  constructor(options: ConnectOptions = {}) {
    const addresses = options.addresses ? checked(options.addresses) : resolve(options.server, process.env);
    const transports = { tls: options.tls ?? tlsOf(process.env), transport: options.transport };
    const open = (replicas: readonly string[]): ReplicatedTransport => {
      const transport = new ReplicatedTransport(replicas, transports);
      this.#open.push(transport);
      return transport;
    };
    this.registry = createClient(RegistryService, open(addresses.registry));
    this.scheduler = createClient(SchedulerService, open(addresses.scheduler));
    this.stateTracker = createClient(StateTrackerService, open(addresses.stateTracker));
  }

  /** Close the connections, without which a program does not end. Calls under way fail. */
  close(): void {
    this.#open.forEach((transport) => transport.close());
  }

  /**
   * Batches of events from the request's cursor on, in commit order, none missing and none twice, whatever connection is lost.
   * Without a cursor it starts now; the first batch comes at once and may be empty. It goes on until the loop is left, the
   * signal or the time limit; a cursor whose events were pruned is refused with Code.OutOfRange.
   */
  watch(
    request: MessageInitShape<typeof WatchEventsRequestSchema> = {}, options: CallOptions = {},
  ): AsyncGenerator<WatchEventsResponse, void> {
    return watch(this, request, options);
  }

  /**
   * What a task's containers wrote, from the first byte or the request's cursor on, over lost connections as `watch` does. It
   * ends by itself: at what there is, or with `follow` once the task has stopped and everything came.
   */
  logs(
    request: MessageInitShape<typeof ReadLogsRequestSchema>, options: CallOptions = {},
  ): AsyncGenerator<ReadLogsResponse, void> {
    return logs(this, request, options);
  }

  /** Wait until every task that RunTask or StartTask placed runs, or is past that. Nothing polls. */
  async waitUntilRunning(placed: Placed, options: CallOptions = {}): Promise<TaskState[]> {
    return waitUntil(this, placed, (tasks) => tasks.every((task) => task.running), options);
  }

  /** Wait until every task that was placed has stopped. */
  async waitUntilStopped(placed: Placed, options: CallOptions = {}): Promise<TaskState[]> {
    return waitUntil(this, placed, (tasks) => tasks.every((task) => task.stopped), options);
  }

  /** Wait until `enough` says so, which is asked after each change. The states are in the order of the tasks. */
  async waitUntil(
    placed: Placed, enough: (tasks: readonly TaskState[]) => boolean, options: CallOptions = {},
  ): Promise<TaskState[]> {
    return waitUntil(this, placed, enough, options);
  }
}
