package io.longshore.examples;

import io.longshore.client.LongshoreClient;
import io.longshore.v1.ContainerDefinition;
import io.longshore.v1.ReadLogsRequest;
import io.longshore.v1.RegisterTaskDefinitionRequest;
import io.longshore.v1.RunTaskRequest;
import io.longshore.v1.StringList;

/** Run a task, print what it writes, and tell its exit code. */
public final class TenLines {
  public static void main(String[] arguments) {
    var command = StringList.newBuilder().addValues("sh").addValues("-c").addValues("echo hello; exit 7");
    var container = ContainerDefinition.newBuilder().setName("hello").setImage("busybox").setMemory(16).setCommand(command);
    try (var client = LongshoreClient.connect()) {
      client.registry().registerTaskDefinition(
          RegisterTaskDefinitionRequest.newBuilder().setFamily("hello").addContainerDefinitions(container).build());
      var placed = client.scheduler().runTask(RunTaskRequest.newBuilder().setTaskDefinition("hello").build());
      var follow = ReadLogsRequest.newBuilder().setTask(placed.getTasks(0).getTaskArn()).setFollow(true).build();
      try (var outputs = client.logs(follow)) {
        outputs.forEach(output -> output.getPiecesList().forEach(piece -> System.out.print(piece.getData().toStringUtf8())));
      }
      System.out.println("exit code " + client.waitUntilStopped(placed).get(0).exitCode());
    }
  }
}
