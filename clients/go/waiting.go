package longshore

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/longshore-project/longshore/clients/go/longshorev1"
)

const describedAtOnce = 100 // the most tasks that one DescribeTasks takes

// Placed is what RunTask and StartTask answer.
type Placed interface {
	GetTasks() []*longshorev1.Task
	GetCursor() string
}

// WaitUntilRunning waits until every task that was placed runs, or is past that. Nothing polls.
func (c *Client) WaitUntilRunning(ctx context.Context, placed Placed) ([]*TaskState, error) {
	return c.WaitUntil(ctx, placed, func(tasks []*TaskState) bool { return all(tasks, (*TaskState).Running) })
}

// WaitUntilStopped waits until every task that was placed has stopped.
func (c *Client) WaitUntilStopped(ctx context.Context, placed Placed) ([]*TaskState, error) {
	return c.WaitUntil(ctx, placed, func(tasks []*TaskState) bool { return all(tasks, (*TaskState).Stopped) })
}

// WaitUntil waits until enough says so, which is asked after each change. The states are in the order of the tasks.
//
// The events from the answer's cursor on are the whole story. Where they were pruned, the tasks are described beside a new
// watch, so that no change falls between the two.
func (c *Client) WaitUntil(ctx context.Context, placed Placed, enough func([]*TaskState) bool) ([]*TaskState, error) {
	tasks := placed.GetTasks()
	if len(tasks) == 0 {
		return nil, nil
	}
	essential, err := c.essential(ctx, tasks[0])
	if err != nil {
		return nil, err
	}
	states := make([]*TaskState, 0, len(tasks))
	byID := map[string]*TaskState{}
	request := &longshorev1.WatchEventsRequest{Cluster: tasks[0].ClusterArn, Cursor: proto.String(placed.GetCursor())}
	for _, task := range tasks {
		state := &TaskState{
			ID: idOf(task.GetTaskArn()), essential: essential, Containers: map[string]*longshorev1.ContainerObservation{},
		}
		states = append(states, state)
		byID[state.ID] = state
		request.Tasks = append(request.Tasks, state.ID)
	}
	for !enough(states) {
		err := c.feed(ctx, request, byID, func() bool { return enough(states) })
		var refused *Error
		if errors.As(err, &refused) && refused.Code == codes.OutOfRange {
			request.Cursor = nil
			continue
		}
		if err != nil {
			return states, err
		}
	}
	return states, nil
}

func (c *Client) feed(
	ctx context.Context, request *longshorev1.WatchEventsRequest, byID map[string]*TaskState, enough func() bool,
) error {
	described := request.GetCursor() != ""
	for batch, err := range c.Watch(ctx, request) {
		if err != nil {
			return err
		}
		if !described {
			if err := c.describe(ctx, request, byID); err != nil {
				return err
			}
			described = true
		}
		for _, event := range batch.GetEvents() {
			if state := byID[event.GetTask().GetTaskId()]; state != nil {
				state.takeEvent(event.GetTask())
			}
			if enough() {
				return nil
			}
		}
		if enough() {
			return nil
		}
	}
	return nil
}

func (c *Client) describe(
	ctx context.Context, request *longshorev1.WatchEventsRequest, byID map[string]*TaskState,
) error {
	ids := request.GetTasks()
	for start := 0; start < len(ids); start += describedAtOnce {
		some := ids[start:min(start+describedAtOnce, len(ids))]
		answer, err := c.StateTracker.DescribeTasks(ctx, &longshorev1.DescribeTasksRequest{Cluster: request.Cluster, Tasks: some})
		if err != nil {
			return err
		}
		if failures := answer.GetFailures(); len(failures) > 0 {
			return fmt.Errorf("task %s: %s", failures[0].GetArn(), failures[0].GetReason())
		}
		for _, task := range answer.GetTasks() {
			byID[idOf(task.GetTaskArn())].takeDescription(task)
		}
	}
	return nil
}

// essential names the containers whose end is the task's. A task's only container always is.
func (c *Client) essential(ctx context.Context, task *longshorev1.Task) (map[string]bool, error) {
	if containers := task.GetContainers(); len(containers) == 1 {
		return map[string]bool{containers[0].GetName(): true}, nil
	}
	answer, err := c.Registry.DescribeTaskDefinition(
		ctx, &longshorev1.DescribeTaskDefinitionRequest{TaskDefinition: task.TaskDefinitionArn},
	)
	if err != nil {
		return nil, err
	}
	return essentialNames(answer.GetTaskDefinition()), nil
}
