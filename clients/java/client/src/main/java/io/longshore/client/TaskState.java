package io.longshore.client;

import io.longshore.v1.Container;
import io.longshore.v1.ContainerObservation;
import io.longshore.v1.ContainerStatus;
import io.longshore.v1.Task;
import io.longshore.v1.TaskEvent;
import io.longshore.v1.TaskStatus;
import io.longshore.v1.TaskStopCode;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What is known of a task, put together from events. */
public final class TaskState {
  /** The exit code of a task that stopped without one: what docker run uses where the container could not run. */
  public static final int NEVER_RAN = 125;

  private static final Set<Integer> STOPPED_BY_SIGNAL = Set.of(128 + 9, 128 + 15);

  private final String id;
  private final Set<String> essential;
  private final Map<String, ContainerObservation> containers = new LinkedHashMap<>();
  private List<String> firstEnded = List.of();
  private long version;
  private TaskStatus lastStatus = TaskStatus.TASK_STATUS_UNSPECIFIED;
  private TaskStopCode stopCode = TaskStopCode.TASK_STOP_CODE_UNSPECIFIED;
  private String stoppedReason = "";

  TaskState(String id, Set<String> essential) {
    this.id = id;
    this.essential = essential;
  }

  public String id() {
    return id;
  }

  public TaskStatus lastStatus() {
    return lastStatus;
  }

  public TaskStopCode stopCode() {
    return stopCode;
  }

  /** Why it stopped, as a sentence. Empty while no cause is known. */
  public String stoppedReason() {
    return stoppedReason;
  }

  /** Its containers by name. */
  public Map<String, ContainerObservation> containers() {
    return Collections.unmodifiableMap(containers);
  }

  /** Whether it runs, or is past that. */
  public boolean isRunning() {
    return reached(TaskStatus.TASK_STATUS_RUNNING);
  }

  /** Whether it has reached its end. */
  public boolean isStopped() {
    return reached(TaskStatus.TASK_STATUS_STOPPED);
  }

  /**
   * That of the essential container whose end ended the task; NEVER_RAN where none has one. Where one event told of the end of
   * several, a code that no stop explains comes first, then a clean end: the others were stopped because of it.
   */
  public int exitCode() {
    List<ContainerObservation> coded = firstEnded.stream().map(containers::get).filter(ContainerObservation::hasExitCode).toList();
    return coded.stream()
        .filter(each -> each.getExitCode() != 0 && (!STOPPED_BY_SIGNAL.contains(each.getExitCode()) || each.getOutOfMemory()))
        .findFirst()
        .or(() -> coded.stream().filter(each -> each.getExitCode() == 0).findFirst())
        .or(() -> coded.stream().findFirst())
        .map(ContainerObservation::getExitCode)
        .orElse(NEVER_RAN);
  }

  /** Take a change in. One that is not newer is dropped, so that events and descriptions can be fed in any order. */
  void take(TaskEvent change) {
    if (change.getVersion() > version) {
      version = change.getVersion();
      lastStatus = change.getLastStatus();
      stopCode = change.getStopCode();
      stoppedReason = change.getStoppedReason();
      observe(change.getContainersList());
    }
  }

  /** Take in what DescribeTasks told. */
  void take(Task task) {
    if (task.getVersion() > version) {
      version = task.getVersion();
      lastStatus = task.getLastStatus();
      stopCode = task.getStopCode();
      stoppedReason = task.getStoppedReason();
      observe(task.getContainersList().stream().map(TaskState::observation).toList());
    }
  }

  private boolean reached(TaskStatus status) {
    // One that a later release has made up counts as no more than is known.
    return lastStatus != TaskStatus.UNRECOGNIZED && lastStatus.getNumber() >= status.getNumber();
  }

  private void observe(List<ContainerObservation> observed) {
    observed.forEach(each -> containers.put(each.getName(), each));
    if (firstEnded.isEmpty()) {
      firstEnded =
          observed.stream()
              .filter(each -> each.getLastStatus() == ContainerStatus.CONTAINER_STATUS_STOPPED)
              .map(ContainerObservation::getName)
              .filter(essential::contains)
              .toList();
    }
  }

  private static ContainerObservation observation(Container container) {
    ContainerObservation.Builder observed =
        ContainerObservation.newBuilder()
            .setName(container.getName())
            .setRuntimeId(container.getRuntimeId())
            .setLastStatus(container.getLastStatus())
            .setReason(container.getReason())
            .addAllNetworkBindings(container.getNetworkBindingsList())
            .setHealthStatus(container.getHealthStatus());
    if (container.hasExitCode()) {
      observed.setExitCode(container.getExitCode());
    }
    return observed.build();
  }
}
