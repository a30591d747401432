// What a program does with Longshore, from its first registration to a deadline: the same story as the examples of the other
// languages, told in the same lines.
//
//     node dist/examples/story.js FAMILY
import { once } from "node:events";
import { createInterface } from "node:readline";

import { Code } from "@connectrpc/connect";
import { connect, LongshoreError } from "@longshore/client";
import type { RunTaskResponse } from "@longshore/client/v1/scheduler_service";
import { TaskStatus, TaskStopCode } from "@longshore/client/v1/task";

const COUNT = "trap 'exit 0' TERM; for word in one two three; do echo $word; sleep 0.3; done; exit 3";
const SLEEP = "trap 'exit 0' TERM; sleep 600 & wait";

const family = process.argv[2] ?? "story";
const client = connect();

async function register(): Promise<void> {
  const { taskDefinition } = await client.registry.registerTaskDefinition({
    family,
    containerDefinitions: [{ name: "main", image: "busybox", cpu: 16, memory: 16, command: shell(COUNT) }],
  });
  console.log(`registered ${taskDefinition?.family}:${taskDefinition?.revision}`);
}

async function runAndWait(): Promise<void> {
  const placed = await run();
  await client.waitUntilRunning(placed);
  console.log("task: RUNNING");
  let text = "";
  const decoder = new TextDecoder();
  for await (const output of client.logs({ task: arn(placed), follow: true })) {
    for (const piece of output.pieces) {
      text += decoder.decode(piece.data, { stream: true });
    }
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    lines.forEach((line) => console.log(`log: ${line}`));
  }
  await tellEnd(placed);
}

async function watchOverARestart(): Promise<void> {
  const placed = await run({ command: shell(SLEEP) });
  const id = arn(placed).split("/").at(-1);
  let last = 0n;
  let running = false;
  for await (const batch of client.watch({ cursor: placed.cursor! })) {
    for (const event of batch.events) {
      if (last !== 0n && event.sequence !== last + 1n) {
        throw new Error(`after event ${last} came ${event.sequence}`);
      }
      last = event.sequence;
      if (event.change.case !== "task" || event.change.value.taskId !== id) {
        continue;
      }
      const change = event.change.value;
      if (change.lastStatus === TaskStatus.RUNNING && !running) {
        running = true;
        console.log("watch: RUNNING");
        console.log("restart the server now, then press Enter");
        await enter();
        await stop(placed, "the story goes on");
      } else if (change.lastStatus === TaskStatus.STOPPED) {
        console.log(`watch: STOPPED, ${TaskStopCode[change.stopCode]}, ${change.stoppedReason}`);
        console.log("watch: nothing was missing and nothing came twice");
        return;
      }
    }
  }
}

async function beRefused(): Promise<void> {
  try {
    await client.scheduler.runTask({ cluster: family, taskDefinition: family });
  } catch (error) {
    if (error instanceof LongshoreError && error.reason === "ClusterNotFoundException") {
      console.log(`refused: ${error.reason}, cluster ${family}`);
      return;
    }
    throw error;
  }
  throw new Error(`there should be no cluster ${family}`);
}

async function askForLess(): Promise<void> {
  const asked = { command: { values: ["true"] } };
  const { failures } = await run({ ...asked, cpu: 1 << 20 });
  if (failures[0]?.reason !== "RESOURCE:CPU") {
    throw new Error("a million CPU units should be too much");
  }
  console.log("not placed: RESOURCE:CPU, so with 16 CPU units");
  await tellEnd(await run({ ...asked, cpu: 16 }));
}

async function keepADeadline(): Promise<void> {
  const placed = await run({ command: shell(SLEEP) });
  await client.waitUntilRunning(placed);
  try {
    for await (const _ of client.logs({ task: arn(placed), follow: true }, { timeoutMs: 1_000 })) {
      // it writes nothing
    }
    throw new Error("the log should not have ended");
  } catch (error) {
    if (!(error instanceof LongshoreError) || error.code !== Code.DeadlineExceeded) {
      throw error;
    }
    console.log("deadline: DEADLINE_EXCEEDED");
  }
  await stop(placed);
  await tellEnd(placed);
}

async function run(override: { command?: { values: string[] }; cpu?: number } = {}): Promise<RunTaskResponse> {
  return client.scheduler.runTask({
    taskDefinition: family,
    overrides: { containerOverrides: [{ name: "main", ...override }] },
  });
}

async function stop(placed: RunTaskResponse, reason = ""): Promise<void> {
  await client.scheduler.stopTask({ task: arn(placed), reason });
}

async function tellEnd(placed: RunTaskResponse): Promise<void> {
  const [task] = await client.waitUntilStopped(placed);
  console.log(`task: STOPPED, exit code ${task!.exitCode}, ${TaskStopCode[task!.stopCode]}`);
}

async function enter(): Promise<void> {
  const lines = createInterface({ input: process.stdin });
  await once(lines, "line");
  lines.close();
}

function arn(placed: RunTaskResponse): string {
  return placed.tasks[0]!.taskArn!;
}

function shell(script: string): { values: string[] } {
  return { values: ["sh", "-c", script] };
}

await register();
await runAndWait();
await watchOverARestart();
await beRefused();
await askForLess();
await keepADeadline();
client.close();
