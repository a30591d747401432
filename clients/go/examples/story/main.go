// What a program does with Longshore, from its first registration to a deadline: the same story as the examples of the other
// languages, told in the same lines.
//
//	go run ./examples/story FAMILY
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	longshore "github.com/longshore-project/longshore/clients/go"
	"github.com/longshore-project/longshore/clients/go/longshorev1"
)

const (
	count = "trap 'exit 0' TERM; for word in one two three; do echo $word; sleep 0.3; done; exit 3"
	sleep = "trap 'exit 0' TERM; sleep 600 & wait"
)

type story struct {
	*longshore.Client
	family string
}

func main() {
	log.SetFlags(0)
	family := "story"
	if len(os.Args) > 1 {
		family = os.Args[1]
	}
	client, err := longshore.Connect()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	told := story{client, family}
	for _, chapter := range []func(context.Context) error{
		told.register, told.runAndWait, told.watchOverARestart, told.beRefused, told.askForLess, told.keepADeadline,
	} {
		if err := chapter(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
}

func (s story) register(ctx context.Context) error {
	answer, err := s.Registry.RegisterTaskDefinition(ctx, &longshorev1.RegisterTaskDefinitionRequest{
		Family: &s.family,
		ContainerDefinitions: []*longshorev1.ContainerDefinition{{
			Name:    proto.String("main"),
			Image:   proto.String("busybox"),
			Cpu:     proto.Int32(16),
			Memory:  proto.Int32(16),
			Command: shell(count),
		}},
	})
	if err != nil {
		return err
	}
	definition := answer.GetTaskDefinition()
	fmt.Printf("registered %s:%d\n", definition.GetFamily(), definition.GetRevision())
	return nil
}

func (s story) runAndWait(ctx context.Context) error {
	placed, err := s.run(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := s.WaitUntilRunning(ctx, placed); err != nil {
		return err
	}
	fmt.Println("task: RUNNING")
	lines := bufio.NewScanner(s.output(ctx, placed))
	for lines.Scan() {
		fmt.Println("log:", lines.Text())
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return s.tellEnd(ctx, placed)
}

func (s story) watchOverARestart(ctx context.Context) error {
	placed, err := s.run(ctx, &longshorev1.ContainerOverride{Command: shell(sleep)})
	if err != nil {
		return err
	}
	task := placed.GetTasks()[0]
	id := task.GetTaskArn()[strings.LastIndex(task.GetTaskArn(), "/")+1:]
	var last int64
	running := false
	for batch, err := range s.Watch(ctx, &longshorev1.WatchEventsRequest{Cursor: placed.Cursor}) {
		if err != nil {
			return err
		}
		for _, event := range batch.GetEvents() {
			if last != 0 && event.GetSequence() != last+1 {
				return fmt.Errorf("after event %d came %d", last, event.GetSequence())
			}
			last = event.GetSequence()
			change := event.GetTask()
			switch {
			case change.GetTaskId() != id:
			case change.GetLastStatus() == longshorev1.TaskStatus_TASK_STATUS_RUNNING && !running:
				running = true
				fmt.Println("watch: RUNNING")
				fmt.Println("restart the server now, then press Enter")
				if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
					return err
				}
				if err := s.stop(ctx, placed, "the story goes on"); err != nil {
					return err
				}
			case change.GetLastStatus() == longshorev1.TaskStatus_TASK_STATUS_STOPPED:
				fmt.Printf("watch: STOPPED, %s, %s\n", stopCode(change.GetStopCode()), change.GetStoppedReason())
				fmt.Println("watch: nothing was missing and nothing came twice")
				return nil
			}
		}
	}
	return errors.New("the watch has ended")
}

func (s story) beRefused(ctx context.Context) error {
	_, err := s.Scheduler.RunTask(ctx, &longshorev1.RunTaskRequest{Cluster: &s.family, TaskDefinition: &s.family})
	var refused *longshore.Error
	if !errors.As(err, &refused) || refused.Reason != longshore.ClusterNotFoundException {
		return fmt.Errorf("there should be no cluster %s: %w", s.family, err)
	}
	fmt.Printf("refused: %s, cluster %s\n", refused.Reason, s.family)
	return nil
}

func (s story) askForLess(ctx context.Context) error {
	asked := &longshorev1.ContainerOverride{
		Cpu: proto.Int32(1 << 20), Command: &longshorev1.StringList{Values: []string{"true"}},
	}
	placed, err := s.run(ctx, asked)
	if err != nil {
		return err
	}
	if failures := placed.GetFailures(); len(failures) == 0 || failures[0].GetReason() != "RESOURCE:CPU" {
		return fmt.Errorf("a million CPU units should be too much: %v", placed)
	}
	fmt.Println("not placed: RESOURCE:CPU, so with 16 CPU units")
	asked.Cpu = proto.Int32(16)
	if placed, err = s.run(ctx, asked); err != nil {
		return err
	}
	return s.tellEnd(ctx, placed)
}

func (s story) keepADeadline(ctx context.Context) error {
	placed, err := s.run(ctx, &longshorev1.ContainerOverride{Command: shell(sleep)})
	if err != nil {
		return err
	}
	if _, err := s.WaitUntilRunning(ctx, placed); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, err = range s.Logs(limited, logsOf(placed)) {
	}
	if status.Code(err) != codes.DeadlineExceeded {
		return fmt.Errorf("the log should not have ended: %w", err)
	}
	fmt.Println("deadline: DEADLINE_EXCEEDED")
	if err := s.stop(ctx, placed, ""); err != nil {
		return err
	}
	return s.tellEnd(ctx, placed)
}

func (s story) run(ctx context.Context, override *longshorev1.ContainerOverride) (*longshorev1.RunTaskResponse, error) {
	request := &longshorev1.RunTaskRequest{TaskDefinition: &s.family}
	if override != nil {
		override.Name = proto.String("main")
		request.Overrides = &longshorev1.TaskOverride{ContainerOverrides: []*longshorev1.ContainerOverride{override}}
	}
	return s.Scheduler.RunTask(ctx, request)
}

func (s story) stop(ctx context.Context, placed *longshorev1.RunTaskResponse, reason string) error {
	_, err := s.Scheduler.StopTask(ctx, &longshorev1.StopTaskRequest{Task: placed.GetTasks()[0].TaskArn, Reason: &reason})
	return err
}

func (s story) tellEnd(ctx context.Context, placed *longshorev1.RunTaskResponse) error {
	tasks, err := s.WaitUntilStopped(ctx, placed)
	if err != nil {
		return err
	}
	fmt.Printf("task: STOPPED, exit code %d, %s\n", tasks[0].ExitCode(), stopCode(tasks[0].StopCode))
	return nil
}

// output is what a task writes, as something to read from.
func (s story) output(ctx context.Context, placed *longshorev1.RunTaskResponse) *os.File {
	reader, writer, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		defer writer.Close()
		for output, err := range s.Logs(ctx, logsOf(placed)) {
			if err != nil {
				log.Fatal(err)
			}
			for _, piece := range output.GetPieces() {
				writer.Write(piece.GetData())
			}
		}
	}()
	return reader
}

func logsOf(placed *longshorev1.RunTaskResponse) *longshorev1.ReadLogsRequest {
	return &longshorev1.ReadLogsRequest{Task: placed.GetTasks()[0].TaskArn, Follow: proto.Bool(true)}
}

func stopCode(code longshorev1.TaskStopCode) string {
	return strings.TrimPrefix(code.String(), "TASK_STOP_CODE_")
}

func shell(script string) *longshorev1.StringList {
	return &longshorev1.StringList{Values: []string{"sh", "-c", script}}
}
