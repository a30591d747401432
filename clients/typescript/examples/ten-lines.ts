// Run a task, print what it writes, and tell its exit code.
import { connect } from "@longshore/client";

const client = connect();
const { taskDefinition } = await client.registry.registerTaskDefinition({
  family: "hello",
  containerDefinitions: [
    { name: "hello", image: "busybox", memory: 16, command: { values: ["sh", "-c", "echo hello; exit 7"] } },
  ],
});
const placed = await client.scheduler.runTask({ taskDefinition: taskDefinition!.taskDefinitionArn! });
for await (const output of client.logs({ task: placed.tasks[0]!.taskArn!, follow: true })) {
  output.pieces.forEach((piece) => process.stdout.write(piece.data));
}
const [task] = await client.waitUntilStopped(placed);
console.log("exit code", task!.exitCode);
client.close();
