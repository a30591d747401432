// Makes the calls of a table (tests/clients/cases.json) through the generated stubs and prints what came of each, in the canonical
// JSON of protobuf: the clients of all languages are held to the same answers.
import { text } from "node:stream/consumers";

import { type DescService, fromBinary, fromJsonString, type Message, toBinary, toJson } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { Code } from "@connectrpc/connect";
import { connect, LongshoreError } from "@longshore/client";
import { EventSchema } from "@longshore/client/v1/event";
import { RegistryService } from "@longshore/client/v1/registry_service";
import { SchedulerService } from "@longshore/client/v1/scheduler_service";
import { StateTrackerService } from "@longshore/client/v1/state_tracker_service";
import { TaskStatus } from "@longshore/client/v1/task";

interface Call {
  name: string;
  call: string;
  request: unknown;
  keep?: Record<string, string>;
}

type Method = (request: Message) => Promise<Message>;

const client = connect();
const SERVICES: Record<string, [DescService, object]> = {
  RegistryService: [RegistryService, client.registry],
  SchedulerService: [SchedulerService, client.scheduler],
  StateTrackerService: [StateTrackerService, client.stateTracker],
};
const kept = new Map<string, string>();

async function made(call: Call): Promise<object> {
  const [service, name] = call.call.split("/") as [string, string];
  const [described, stub] = SERVICES[service]!;
  const method = described.methods.find((each) => each.name === name)!;
  let asked = JSON.stringify(call.request);
  kept.forEach((value, key) => (asked = asked.replaceAll(`\${${key}}`, value)));
  let answer: Message;
  try {
    const invoke = (stub as Record<string, Method>)[method.localName]!;
    answer = await invoke(fromJsonString(method.input, asked));
  } catch (error) {
    if (!(error instanceof LongshoreError)) {
      throw error;
    }
    return { name: call.name, error: { code: codeName(error.code), reason: error.reason, message: error.message } };
  }
  const document = toJson(method.output, answer);
  for (const [key, path] of Object.entries(call.keep ?? {})) {
    kept.set(key, at(document, path));
  }
  return { name: call.name, answer: document };
}

/** What is in an event as this language's programs see it, beside its JSON and its bytes written anew. */
function read(message: { name: string; bytes: string }): object {
  const event = fromBinary(EventSchema, base64Decode(message.bytes));
  const task = event.change.case === "task" ? event.change.value : undefined;
  const facts = {
    next_sequence: String(event.sequence + 1n),
    at: event.at ? String(event.at.seconds * 1_000_000n + BigInt(event.at.nanos) / 1_000n) : "absent",
    change: { task: "task", containerInstance: "container_instance", none: "none" }[event.change.case ?? "none"],
    running: task?.lastStatus === TaskStatus.RUNNING,
    last_status: task?.lastStatus ?? 0,
    exit_codes: (task?.containers ?? []).map((each) => (each.exitCode === undefined ? "absent" : String(each.exitCode))),
  };
  const bytes = base64Encode(toBinary(EventSchema, event));
  return { name: message.name, json: toJson(EventSchema, event), bytes, facts };
}

function at(document: unknown, path: string): string {
  return path.split(".").reduce((found, step) => (found as Record<string, unknown>)[step], document) as string;
}

/** The code as gRPC's specification spells it: InvalidArgument, INVALID_ARGUMENT. */
function codeName(code: Code): string {
  return Code[code].replace(/(?<=.)[A-Z]/g, "_$&").toUpperCase();
}

const table = JSON.parse(await text(process.stdin)) as { calls: Call[]; messages: { name: string; bytes: string }[] };
const results: object[] = [];
for (const call of table.calls) {
  results.push(await made(call));
}
console.log(JSON.stringify([...results, ...table.messages.map(read)]));
client.close();
