package io.longshore.examples;

import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.longshore.client.Answers;
import io.longshore.client.LongshoreClient;
import io.longshore.client.LongshoreError;
import io.longshore.client.Reason;
import io.longshore.client.TaskState;
import io.longshore.v1.ContainerDefinition;
import io.longshore.v1.ContainerOverride;
import io.longshore.v1.Event;
import io.longshore.v1.LogPiece;
import io.longshore.v1.ReadLogsRequest;
import io.longshore.v1.ReadLogsResponse;
import io.longshore.v1.RegisterTaskDefinitionRequest;
import io.longshore.v1.RunTaskRequest;
import io.longshore.v1.RunTaskResponse;
import io.longshore.v1.StopTaskRequest;
import io.longshore.v1.StringList;
import io.longshore.v1.TaskDefinition;
import io.longshore.v1.TaskOverride;
import io.longshore.v1.TaskStatus;
import io.longshore.v1.TaskStopCode;
import io.longshore.v1.WatchEventsRequest;
import io.longshore.v1.WatchEventsResponse;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * What a program does with Longshore, from its first registration to a deadline: the same story as the examples of the other languages,
 * told in the same lines. The argument names the family of its task definition.
 */
public final class Story {
  private static final String COUNT = "trap 'exit 0' TERM; for word in one two three; do echo $word; sleep 0.3; done; exit 3";
  private static final String SLEEP = "trap 'exit 0' TERM; sleep 600 & wait";

  private final LongshoreClient client;
  private final String family;

  private Story(LongshoreClient client, String family) {
    this.client = client;
    this.family = family;
  }

  public static void main(String[] arguments) throws IOException {
    try (LongshoreClient client = LongshoreClient.connect()) {
      Story story = new Story(client, arguments.length > 0 ? arguments[0] : "story");
      story.register();
      story.runAndWait();
      story.watchOverARestart();
      story.beRefused();
      story.askForLess();
      story.keepADeadline();
    }
  }

  private void register() {
    ContainerDefinition.Builder container =
        ContainerDefinition.newBuilder().setName("main").setImage("busybox").setCpu(16).setMemory(16).setCommand(shell(COUNT));
    TaskDefinition definition =
        client
            .registry()
            .registerTaskDefinition(
                RegisterTaskDefinitionRequest.newBuilder().setFamily(family).addContainerDefinitions(container).build())
            .getTaskDefinition();
    tell("registered " + definition.getFamily() + ":" + definition.getRevision());
  }

  private void runAndWait() {
    RunTaskResponse placed = run(ContainerOverride.newBuilder());
    client.waitUntilRunning(placed);
    tell("task: RUNNING");
    ByteArrayOutputStream written = new ByteArrayOutputStream();
    try (Answers<ReadLogsResponse> outputs = client.logs(logsOf(placed))) {
      for (ReadLogsResponse output : outputs) {
        for (LogPiece piece : output.getPiecesList()) {
          written.writeBytes(piece.getData().toByteArray());
        }
      }
    }
    written.toString(StandardCharsets.UTF_8).lines().forEach(line -> tell("log: " + line));
    tellEnd(placed);
  }

  private void watchOverARestart() throws IOException {
    RunTaskResponse placed = run(ContainerOverride.newBuilder().setCommand(shell(SLEEP)));
    String id = arn(placed).substring(arn(placed).lastIndexOf('/') + 1);
    long last = 0;
    boolean running = false;
    try (Answers<WatchEventsResponse> batches =
        client.watch(WatchEventsRequest.newBuilder().setCursor(placed.getCursor()).build())) {
      for (WatchEventsResponse batch : batches) {
        for (Event event : batch.getEventsList()) {
          if (last != 0 && event.getSequence() != last + 1) {
            throw new IllegalStateException("after event " + last + " came " + event.getSequence());
          }
          last = event.getSequence();
          if (!event.getTask().getTaskId().equals(id)) {
            continue;
          }
          TaskStatus status = event.getTask().getLastStatus();
          if (status == TaskStatus.TASK_STATUS_RUNNING && !running) {
            running = true;
            tell("watch: RUNNING");
            tell("restart the server now, then press Enter");
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).readLine();
            stop(placed, "the story goes on");
          } else if (status == TaskStatus.TASK_STATUS_STOPPED) {
            String code = stopCode(event.getTask().getStopCode());
            tell("watch: STOPPED, " + code + ", " + event.getTask().getStoppedReason());
            tell("watch: nothing was missing and nothing came twice");
            return;
          }
        }
      }
    }
  }

  private void beRefused() {
    try {
      client.scheduler().runTask(RunTaskRequest.newBuilder().setCluster(family).setTaskDefinition(family).build());
    } catch (StatusRuntimeException refused) {
      LongshoreError error = LongshoreError.of(refused);
      if (!error.is(Reason.CLUSTER_NOT_FOUND_EXCEPTION)) {
        throw refused;
      }
      tell("refused: " + error.name() + ", cluster " + family);
      return;
    }
    throw new IllegalStateException("there should be no cluster " + family);
  }

  private void askForLess() {
    ContainerOverride.Builder asked = ContainerOverride.newBuilder().setCommand(StringList.newBuilder().addValues("true"));
    RunTaskResponse answer = run(asked.setCpu(1 << 20));
    if (answer.getFailuresCount() == 0 || !answer.getFailures(0).getReason().equals("RESOURCE:CPU")) {
      throw new IllegalStateException("a million CPU units should be too much: " + answer);
    }
    tell("not placed: RESOURCE:CPU, so with 16 CPU units");
    tellEnd(run(asked.setCpu(16)));
  }

  private void keepADeadline() {
    RunTaskResponse placed = run(ContainerOverride.newBuilder().setCommand(shell(SLEEP)));
    client.waitUntilRunning(placed);
    ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
    try {
      Context.current().withDeadlineAfter(1, TimeUnit.SECONDS, clock).run(() -> followToTheEnd(placed));
      throw new IllegalStateException("the log should not have ended");
    } catch (StatusRuntimeException refused) {
      if (refused.getStatus().getCode() != Status.Code.DEADLINE_EXCEEDED) {
        throw refused;
      }
      tell("deadline: " + refused.getStatus().getCode());
    } finally {
      clock.shutdown();
    }
    stop(placed, "");
    tellEnd(placed);
  }

  private void followToTheEnd(RunTaskResponse placed) {
    try (Answers<ReadLogsResponse> outputs = client.logs(logsOf(placed))) {
      outputs.forEach(output -> {});
    }
  }

  private RunTaskResponse run(ContainerOverride.Builder override) {
    TaskOverride.Builder overrides = TaskOverride.newBuilder().addContainerOverrides(override.setName("main"));
    return client.scheduler().runTask(RunTaskRequest.newBuilder().setTaskDefinition(family).setOverrides(overrides).build());
  }

  private void stop(RunTaskResponse placed, String reason) {
    client.scheduler().stopTask(StopTaskRequest.newBuilder().setTask(arn(placed)).setReason(reason).build());
  }

  private void tellEnd(RunTaskResponse placed) {
    List<TaskState> tasks = client.waitUntilStopped(placed);
    tell("task: STOPPED, exit code " + tasks.get(0).exitCode() + ", " + stopCode(tasks.get(0).stopCode()));
  }

  private static ReadLogsRequest logsOf(RunTaskResponse placed) {
    return ReadLogsRequest.newBuilder().setTask(arn(placed)).setFollow(true).build();
  }

  private static String arn(RunTaskResponse placed) {
    return placed.getTasks(0).getTaskArn();
  }

  private static String stopCode(TaskStopCode code) {
    return code.name().replaceFirst("^TASK_STOP_CODE_", "");
  }

  private static StringList shell(String script) {
    return StringList.newBuilder().addValues("sh").addValues("-c").addValues(script).build();
  }

  private static void tell(String line) {
    System.out.println(line);
    System.out.flush();
  }
}
