package io.longshore.client;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.longshore.v1.ContainerDefinition;
import io.longshore.v1.DescribeTaskDefinitionRequest;
import io.longshore.v1.DescribeTasksRequest;
import io.longshore.v1.DescribeTasksResponse;
import io.longshore.v1.Event;
import io.longshore.v1.Task;
import io.longshore.v1.WatchEventsRequest;
import io.longshore.v1.WatchEventsResponse;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** Follows tasks by the event stream to where one wants them: nothing polls. */
final class Waiting {
  private static final int DESCRIBED_AT_ONCE = 100; // the most tasks that one DescribeTasks takes

  private final LongshoreClient client;
  private final Map<String, TaskState> states = new LinkedHashMap<>();
  private final String cluster;

  Waiting(LongshoreClient client, List<Task> tasks) {
    this.client = client;
    this.cluster = tasks.get(0).getClusterArn();
    Set<String> essential = essentialNames(tasks.get(0));
    tasks.forEach(task -> states.put(idOf(task.getTaskArn()), new TaskState(idOf(task.getTaskArn()), essential)));
  }

  /**
   * The events from the cursor on are the whole story. Without one, or where they were pruned, the tasks are described beside a new
   * watch, so that no change falls between the two.
   */
  List<TaskState> until(Predicate<List<TaskState>> enough, String cursor) {
    List<TaskState> found = List.copyOf(states.values());
    String from = cursor;
    while (!enough.test(found)) {
      try (Answers<WatchEventsResponse> batches = client.watch(request(from))) {
        feed(batches, from.isEmpty(), () -> enough.test(found));
      } catch (StatusRuntimeException refused) {
        if (refused.getStatus().getCode() != Status.Code.OUT_OF_RANGE) {
          throw refused;
        }
        from = "";
      }
    }
    return found;
  }

  private void feed(Answers<WatchEventsResponse> batches, boolean describing, BooleanSupplier enough) {
    boolean toDescribe = describing;
    for (WatchEventsResponse batch : batches) {
      if (toDescribe) {
        describe();
        toDescribe = false;
      }
      for (Event event : batch.getEventsList()) {
        TaskState state = states.get(event.getTask().getTaskId());
        if (state != null) {
          state.take(event.getTask());
        }
        if (enough.getAsBoolean()) {
          return;
        }
      }
      if (enough.getAsBoolean()) {
        return;
      }
    }
  }

  private void describe() {
    List<String> ids = List.copyOf(states.keySet());
    for (int start = 0; start < ids.size(); start += DESCRIBED_AT_ONCE) {
      List<String> some = ids.subList(start, Math.min(start + DESCRIBED_AT_ONCE, ids.size()));
      DescribeTasksRequest request = DescribeTasksRequest.newBuilder().setCluster(cluster).addAllTasks(some).build();
      DescribeTasksResponse answer = client.stateTracker().describeTasks(request);
      if (answer.getFailuresCount() > 0) {
        throw Status.NOT_FOUND
            .withDescription("Task " + answer.getFailures(0).getArn() + ": " + answer.getFailures(0).getReason())
            .asRuntimeException();
      }
      answer.getTasksList().forEach(task -> states.get(idOf(task.getTaskArn())).take(task));
    }
  }

  private WatchEventsRequest request(String cursor) {
    return WatchEventsRequest.newBuilder().setCluster(cluster).setCursor(cursor).addAllTasks(states.keySet()).build();
  }

  /** The containers whose end is the task's. A task's only container always is one. */
  private Set<String> essentialNames(Task task) {
    if (task.getContainersCount() == 1) {
      return Set.of(task.getContainers(0).getName());
    }
    DescribeTaskDefinitionRequest request =
        DescribeTaskDefinitionRequest.newBuilder().setTaskDefinition(task.getTaskDefinitionArn()).build();
    return client.registry().describeTaskDefinition(request).getTaskDefinition().getContainerDefinitionsList().stream()
        .filter(each -> !each.hasEssential() || each.getEssential())
        .map(ContainerDefinition::getName)
        .collect(Collectors.toSet());
  }

  private static String idOf(String arn) {
    return arn.substring(arn.lastIndexOf('/') + 1);
  }
}
