import { create } from "@bufbuild/protobuf";

import { type ContainerObservation, ContainerObservationSchema, type TaskEvent } from "./generated/longshore/v1/event_pb.js";
import { ContainerStatus, type Task, TaskStatus, TaskStopCode } from "./generated/longshore/v1/task_pb.js";

/** The exit code of a task that stopped without one: what `docker run` uses where the container could not run. */
export const NEVER_RAN = 125;

const STOPPED_BY_SIGNAL = new Set([128 + 9, 128 + 15]);

/** What is known of a task, put together from events. */
export class TaskState {
  version = 0n;
  lastStatus = TaskStatus.UNSPECIFIED;
  stopCode = TaskStopCode.UNSPECIFIED;
  stoppedReason = "";
  readonly containers = new Map<string, ContainerObservation>();
  #firstEnded: string[] = [];
  readonly #essential: ReadonlySet<string>;

  constructor(readonly id: string, essential: ReadonlySet<string>) {
    this.#essential = essential;
  }

  /** Whether it runs, or is past that. */
  get running(): boolean {
    return this.lastStatus >= TaskStatus.RUNNING;
  }

  /** Whether it has reached its end. */
  get stopped(): boolean {
    return this.lastStatus >= TaskStatus.STOPPED;
  }

  /**
   * That of the essential container whose end ended the task; NEVER_RAN where none has one. Where one event told of the end of
   * several, a code that no stop explains comes first, then a clean end: the others were stopped because of it.
   */
  get exitCode(): number {
    const coded = this.#firstEnded
      .map((name) => this.containers.get(name))
      .flatMap((container) => (container?.exitCode === undefined ? [] : [{ ...container, exitCode: container.exitCode }]));
    const byItself = coded.find((each) => each.exitCode !== 0 && (!STOPPED_BY_SIGNAL.has(each.exitCode) || each.outOfMemory));
    const clean = coded.find((each) => each.exitCode === 0);
    return (byItself ?? clean ?? coded[0])?.exitCode ?? NEVER_RAN;
  }

  /** Take a change in. One that is not newer is dropped, so that events and descriptions can be fed in any order. */
  takeEvent(change: TaskEvent): void {
    if (change.version > this.version) {
      this.#take(change, change.stopCode, change.stoppedReason, change.containers);
    }
  }

  /** Take in what DescribeTasks told. */
  takeDescription(task: Task): void {
    if ((task.version ?? 0n) > this.version) {
      const observed = task.containers.map((container) =>
        create(ContainerObservationSchema, {
          name: container.name ?? "",
          runtimeId: container.runtimeId ?? "",
          lastStatus: container.lastStatus,
          reason: container.reason ?? "",
          networkBindings: container.networkBindings,
          healthStatus: container.healthStatus,
          ...(container.exitCode === undefined ? {} : { exitCode: container.exitCode }),
        }),
      );
      this.#take(task, task.stopCode, task.stoppedReason ?? "", observed);
    }
  }

  #take(
    told: { version?: bigint | undefined; lastStatus: TaskStatus }, stopCode: TaskStopCode, reason: string,
    containers: readonly ContainerObservation[],
  ): void {
    this.version = told.version ?? 0n;
    this.lastStatus = told.lastStatus;
    this.stopCode = stopCode;
    this.stoppedReason = reason;
    for (const container of containers) {
      this.containers.set(container.name, container);
    }
    if (this.#firstEnded.length === 0) {
      this.#firstEnded = containers
        .filter((each) => each.lastStatus === ContainerStatus.STOPPED && this.#essential.has(each.name))
        .map((each) => each.name);
    }
  }
}
