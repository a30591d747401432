package longshore

import (
	"slices"
	"strings"

	"github.com/longshore-project/longshore/clients/go/longshorev1"
)

// NeverRan is the exit code of a task that stopped without one: what docker run uses where the container could not run.
const NeverRan = 125

// A TaskState is what is known of a task, put together from events.
type TaskState struct {
	ID            string
	Version       int64
	LastStatus    longshorev1.TaskStatus
	StopCode      longshorev1.TaskStopCode
	StoppedReason string
	Containers    map[string]*longshorev1.ContainerObservation

	essential  map[string]bool
	firstEnded []string
}

// Running tells whether the task runs, or is past that.
func (t *TaskState) Running() bool { return t.LastStatus >= longshorev1.TaskStatus_TASK_STATUS_RUNNING }

// Stopped tells whether the task has reached its end.
func (t *TaskState) Stopped() bool { return t.LastStatus >= longshorev1.TaskStatus_TASK_STATUS_STOPPED }

// ExitCode is that of the essential container whose end ended the task; NeverRan where none has one.
//
// Where one event told of the end of several, a code that no stop explains comes first, then a clean end: the others were
// stopped because of it.
func (t *TaskState) ExitCode() int {
	var coded []*longshorev1.ContainerObservation
	for _, name := range t.firstEnded {
		if container := t.Containers[name]; container.ExitCode != nil {
			coded = append(coded, container)
		}
	}
	for _, container := range coded {
		code := container.GetExitCode()
		stopped := code == 128+9 || code == 128+15
		if code != 0 && (!stopped || container.GetOutOfMemory()) {
			return int(code)
		}
	}
	for _, container := range coded {
		if container.GetExitCode() == 0 {
			return 0
		}
	}
	if len(coded) > 0 {
		return int(coded[0].GetExitCode())
	}
	return NeverRan
}

// takeEvent takes a change in; it tells whether that was news. Versions that are not newer are dropped, so that events and
// descriptions can be fed in any order.
func (t *TaskState) takeEvent(change *longshorev1.TaskEvent) bool {
	if change.GetVersion() <= t.Version {
		return false
	}
	t.Version = change.GetVersion()
	t.LastStatus, t.StopCode = change.GetLastStatus(), change.GetStopCode()
	t.StoppedReason = change.GetStoppedReason()
	t.observe(change.GetContainers())
	return true
}

func (t *TaskState) takeDescription(task *longshorev1.Task) bool {
	if task.GetVersion() <= t.Version {
		return false
	}
	t.Version = task.GetVersion()
	t.LastStatus, t.StopCode = task.GetLastStatus(), task.GetStopCode()
	t.StoppedReason = task.GetStoppedReason()
	var observed []*longshorev1.ContainerObservation
	for _, container := range task.GetContainers() {
		observed = append(observed, &longshorev1.ContainerObservation{
			Name:            container.GetName(),
			RuntimeId:       container.GetRuntimeId(),
			LastStatus:      container.GetLastStatus(),
			ExitCode:        container.ExitCode,
			Reason:          container.GetReason(),
			NetworkBindings: container.GetNetworkBindings(),
			HealthStatus:    container.GetHealthStatus(),
		})
	}
	t.observe(observed)
	return true
}

func (t *TaskState) observe(containers []*longshorev1.ContainerObservation) {
	var ended []string
	for _, container := range containers {
		t.Containers[container.GetName()] = container
		if t.essential[container.GetName()] &&
			container.GetLastStatus() == longshorev1.ContainerStatus_CONTAINER_STATUS_STOPPED {
			ended = append(ended, container.GetName())
		}
	}
	if len(t.firstEnded) == 0 {
		t.firstEnded = ended
	}
}

func essentialNames(definition *longshorev1.TaskDefinition) map[string]bool {
	names := map[string]bool{}
	for _, container := range definition.GetContainerDefinitions() {
		if container.Essential == nil || container.GetEssential() {
			names[container.GetName()] = true
		}
	}
	return names
}

func idOf(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

func all(tasks []*TaskState, holds func(*TaskState) bool) bool {
	return !slices.ContainsFunc(tasks, func(task *TaskState) bool { return !holds(task) })
}
