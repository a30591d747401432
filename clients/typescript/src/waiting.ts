import { type CallOptions, Code } from "@connectrpc/connect";

import type { Client } from "./client.js";
import { LongshoreError } from "./errors.js";
import { TaskState } from "./following.js";
import type { Task } from "./generated/longshore/v1/task_pb.js";
import { pagesOf } from "./paging.js";

const DESCRIBED_AT_ONCE = 100; // the most tasks that one DescribeTasks takes

/** What RunTask and StartTask answer. */
export interface Placed {
  tasks: readonly Task[];
  cursor?: string | undefined;
}

interface Watched {
  cluster: string;
  cursor: string;
  tasks: string[];
}

/**
 * Wait until `enough` says so. The events from the answer's cursor on are the whole story. Where they were pruned, the tasks are
 * described beside a new watch, so that no change falls between the two.
 */
export async function waitUntil(
  client: Client, placed: Placed, enough: (tasks: readonly TaskState[]) => boolean, options: CallOptions,
): Promise<TaskState[]> {
  const first = placed.tasks[0];
  if (first === undefined) {
    return [];
  }
  const end = options.timeoutMs === undefined ? undefined : performance.now() + options.timeoutMs;
  const limits = (): CallOptions =>
    end === undefined ? options : { ...options, timeoutMs: Math.max(1, Math.ceil(end - performance.now())) };
  const essential = await essentialNames(client, first, limits());
  const states = placed.tasks.map((task) => new TaskState(idOf(task.taskArn), essential));
  const watched: Watched = {
    cluster: first.clusterArn ?? "",
    cursor: placed.cursor ?? "",
    tasks: states.map((state) => state.id),
  };
  while (!enough(states)) {
    try {
      await feed(client, watched, new Map(states.map((state) => [state.id, state])), () => enough(states), limits());
    } catch (error) {
      if (!(error instanceof LongshoreError) || error.code !== Code.OutOfRange) {
        throw error;
      }
      watched.cursor = "";
    }
  }
  return states;
}

async function feed(
  client: Client, watched: Watched, states: ReadonlyMap<string, TaskState>, enough: () => boolean, options: CallOptions,
): Promise<void> {
  let described = watched.cursor !== "";
  for await (const batch of client.watch(watched, options)) {
    if (!described) {
      await describe(client, watched, states, options);
      described = true;
    }
    if (enough()) {
      return;
    }
    for (const event of batch.events) {
      if (event.change.case === "task") {
        states.get(event.change.value.taskId)?.takeEvent(event.change.value);
      }
      if (enough()) {
        return;
      }
    }
  }
}

async function describe(
  client: Client, watched: Watched, states: ReadonlyMap<string, TaskState>, options: CallOptions,
): Promise<void> {
  for (const tasks of pagesOf(watched.tasks, DESCRIBED_AT_ONCE)) {
    const answer = await client.stateTracker.describeTasks({ cluster: watched.cluster, tasks }, options);
    const failure = answer.failures[0];
    if (failure !== undefined) {
      throw new LongshoreError(Code.NotFound, "ResourceNotFoundException", `Task ${failure.arn}: ${failure.reason}.`);
    }
    for (const task of answer.tasks) {
      states.get(idOf(task.taskArn))?.takeDescription(task);
    }
  }
}

/** The containers whose end is the task's. A task's only container always is one. */
async function essentialNames(client: Client, task: Task, options: CallOptions): Promise<ReadonlySet<string>> {
  if (task.containers.length === 1) {
    return new Set([task.containers[0]?.name ?? ""]);
  }
  const taskDefinition = task.taskDefinitionArn ?? "";
  const answer = await client.registry.describeTaskDefinition({ taskDefinition }, options);
  const containers = answer.taskDefinition?.containerDefinitions ?? [];
  return new Set(containers.filter((each) => each.essential ?? true).map((each) => each.name ?? ""));
}

function idOf(arn: string | undefined): string {
  return arn?.slice(arn.lastIndexOf("/") + 1) ?? "";
}
