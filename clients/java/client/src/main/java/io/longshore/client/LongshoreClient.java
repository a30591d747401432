package io.longshore.client;

import io.grpc.ChannelCredentials;
import io.grpc.ManagedChannel;
import io.longshore.v1.ReadLogsRequest;
import io.longshore.v1.ReadLogsResponse;
import io.longshore.v1.RegistryServiceGrpc;
import io.longshore.v1.RegistryServiceGrpc.RegistryServiceBlockingStub;
import io.longshore.v1.RunTaskResponse;
import io.longshore.v1.SchedulerServiceGrpc;
import io.longshore.v1.SchedulerServiceGrpc.SchedulerServiceBlockingStub;
import io.longshore.v1.StartTaskResponse;
import io.longshore.v1.StateTrackerServiceGrpc;
import io.longshore.v1.StateTrackerServiceGrpc.StateTrackerServiceBlockingStub;
import io.longshore.v1.Task;
import io.longshore.v1.WatchEventsRequest;
import io.longshore.v1.WatchEventsResponse;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;

/**
 * A client of one Longshore: a stub for each component, and what every program needs beside them. Calls are repeated while the
 * answer is UNAVAILABLE, for 30 seconds unless the stub has a deadline, under one client token, so that a task is run once. Deadlines
 * and cancellation are gRPC's: {@code stub.withDeadlineAfter(…)}, or a {@link io.grpc.Context} around the call, which holds for
 * watches and waits too. May be used by any number of threads.
 */
public final class LongshoreClient implements AutoCloseable {
  private static final Duration LOGS_GIVEN_UP_AFTER = Duration.ofSeconds(30);

  private final ManagedChannel registryChannel;
  private final ManagedChannel schedulerChannel;
  private final ManagedChannel stateTrackerChannel;
  private final RegistryServiceBlockingStub registry;
  private final SchedulerServiceBlockingStub scheduler;
  private final StateTrackerServiceBlockingStub stateTracker;

  private LongshoreClient(Addresses addresses, ChannelCredentials credentials) {
    registryChannel = Channels.open(addresses.registry(), credentials);
    schedulerChannel = Channels.open(addresses.scheduler(), credentials);
    stateTrackerChannel = Channels.open(addresses.stateTracker(), credentials);
    registry = RegistryServiceGrpc.newBlockingStub(registryChannel);
    scheduler = SchedulerServiceGrpc.newBlockingStub(schedulerChannel);
    stateTracker = StateTrackerServiceGrpc.newBlockingStub(stateTrackerChannel);
  }

  /**
   * A client of the control plane that the variables LONGSHORE_SERVER, or LONGSHORE_REGISTRY, LONGSHORE_SCHEDULER and
   * LONGSHORE_STATE_TRACKER (lists of host:port, for replicas) name, or else of this machine's. Nothing is sent yet: a component that
   * is away shows at the first call.
   */
  public static LongshoreClient connect() {
    return connect(Addresses.ofEnvironment());
  }

  /** A client of the control plane there, secured by the files that the variables LONGSHORE_TLS_* name. */
  public static LongshoreClient connect(Addresses addresses) {
    return connect(addresses, Channels.credentialsOfEnvironment());
  }

  /** A client of the control plane there. */
  public static LongshoreClient connect(Addresses addresses, ChannelCredentials credentials) {
    return new LongshoreClient(addresses, credentials);
  }

  public RegistryServiceBlockingStub registry() {
    return registry;
  }

  public SchedulerServiceBlockingStub scheduler() {
    return scheduler;
  }

  public StateTrackerServiceBlockingStub stateTracker() {
    return stateTracker;
  }

  /** For stubs of another kind, asynchronous ones for instance: {@code RegistryServiceGrpc.newFutureStub(channel)}. */
  public ManagedChannel registryChannel() {
    return registryChannel;
  }

  /** As {@link #registryChannel()}, of the scheduler. */
  public ManagedChannel schedulerChannel() {
    return schedulerChannel;
  }

  /** As {@link #registryChannel()}, of the state-tracker. */
  public ManagedChannel stateTrackerChannel() {
    return stateTrackerChannel;
  }

  /**
   * Batches of events from the request's cursor on, in commit order, none missing and none twice, whatever connection is lost. Without
   * a cursor it starts now; the first batch comes at once and may be empty. It goes on until it is closed; a cursor whose events were
   * pruned is refused with OUT_OF_RANGE.
   */
  public Answers<WatchEventsResponse> watch(WatchEventsRequest request) {
    AtomicReference<WatchEventsRequest> asked = new AtomicReference<>(request);
    return new Answers<>(
        () -> stateTracker.watchEvents(asked.get()),
        answer -> asked.set(asked.get().toBuilder().setCursor(answer.getCursor()).build()),
        lost -> false);
  }

  /**
   * What a task's containers wrote, from the first byte or the request's cursor on, over lost connections as {@link #watch} does. It
   * ends by itself: at what there is, or with follow once the task has stopped and everything came.
   */
  public Answers<ReadLogsResponse> logs(ReadLogsRequest request) {
    AtomicReference<ReadLogsRequest> asked = new AtomicReference<>(request);
    AtomicReference<Instant> heard = new AtomicReference<>(Instant.now());
    return new Answers<>(
        () -> stateTracker.readLogs(asked.get()),
        answer -> {
          asked.set(asked.get().toBuilder().setCursor(answer.getCursor()).build());
          heard.set(Instant.now());
        },
        lost -> lost == null || (!request.getFollow() && heard.get().plus(LOGS_GIVEN_UP_AFTER).isBefore(Instant.now())));
  }

  /** Wait until every task that was placed runs, or is past that. Nothing polls. */
  public List<TaskState> waitUntilRunning(RunTaskResponse placed) {
    return waitUntil(placed.getTasksList(), placed.getCursor(), tasks -> tasks.stream().allMatch(TaskState::isRunning));
  }

  /** Wait until every task that was placed has stopped. */
  public List<TaskState> waitUntilStopped(RunTaskResponse placed) {
    return waitUntil(placed.getTasksList(), placed.getCursor(), tasks -> tasks.stream().allMatch(TaskState::isStopped));
  }

  /** Wait until every task that was started has stopped. */
  public List<TaskState> waitUntilStopped(StartTaskResponse started) {
    return waitUntil(started.getTasksList(), started.getCursor(), tasks -> tasks.stream().allMatch(TaskState::isStopped));
  }

  /**
   * Wait until enough says so, which is asked after each change. The states are in the order of the tasks, which are of one definition.
   * The cursor is the answer's that told of the tasks; where it is empty they are described first.
   */
  public List<TaskState> waitUntil(List<Task> tasks, String cursor, Predicate<List<TaskState>> enough) {
    return tasks.isEmpty() ? List.of() : new Waiting(this, tasks).until(enough, cursor);
  }

  /** Close the connections; calls under way are cancelled. */
  @Override
  public void close() {
    registryChannel.shutdownNow();
    schedulerChannel.shutdownNow();
    stateTrackerChannel.shutdownNow();
  }
}
