/**
 * Longshore over gRPC.
 *
 * The generated messages and services are exported from `@longshore/client/v1/task`, `…/v1/registry_service` and so on, a module for each proto. What is here is what every program needs
 * beside them: it finds the components as the longshore command does, repeats calls while the answer is UNAVAILABLE (under one
 * client token, so that a task is run once), names errors as ECS names them, watches and reads logs over lost connections, and
 * waits for tasks.
 */
export { type Addresses, AddressError } from "./addresses.js";
export { Client, connect, type ConnectOptions } from "./client.js";
export { LongshoreError } from "./errors.js";
export { NEVER_RAN, TaskState } from "./following.js";
export { pages } from "./paging.js";
export type { Reason } from "./reasons.js";
export { REQUEST_ID_HEADER } from "./transport.js";
export type { Placed } from "./waiting.js";
