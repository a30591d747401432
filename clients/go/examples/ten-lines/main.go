// Run a task, print what it writes, and tell its exit code.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	longshore "github.com/longshore-project/longshore/clients/go"
	"github.com/longshore-project/longshore/clients/go/longshorev1"
	"google.golang.org/protobuf/proto"
)

func main() {
	ctx := context.Background()
	client := must(longshore.Connect())
	defer client.Close()
	definition := must(client.Registry.RegisterTaskDefinition(ctx, &longshorev1.RegisterTaskDefinitionRequest{
		Family: proto.String("hello"),
		ContainerDefinitions: []*longshorev1.ContainerDefinition{{
			Name: proto.String("hello"), Image: proto.String("busybox"), Memory: proto.Int32(16),
			Command: &longshorev1.StringList{Values: []string{"sh", "-c", "echo hello; exit 7"}},
		}},
	}))
	placed := must(client.Scheduler.RunTask(ctx, &longshorev1.RunTaskRequest{TaskDefinition: definition.TaskDefinition.TaskDefinitionArn}))
	for output, err := range client.Logs(ctx, &longshorev1.ReadLogsRequest{Task: placed.Tasks[0].TaskArn, Follow: proto.Bool(true)}) {
		for _, piece := range must(output, err).Pieces {
			os.Stdout.Write(piece.Data)
		}
	}
	tasks := must(client.WaitUntilStopped(ctx, placed))
	fmt.Println("exit code", tasks[0].ExitCode())
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
