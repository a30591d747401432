// Command cases makes the calls of a table (tests/clients/cases.json) through the generated stubs and prints what came of
// each, in the canonical JSON of protobuf: the clients of all languages are held to the same answers.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	longshore "github.com/longshore-project/longshore/clients/go"
	"github.com/longshore-project/longshore/clients/go/longshorev1"
)

type table struct {
	Calls    []call
	Messages []message
}

type call struct {
	Name    string
	Call    string            // Service/Method
	Request json.RawMessage   // may hold ${name} of what an earlier call kept
	Keep    map[string]string // name to the path of a text in the answer
}

type message struct {
	Name  string
	Bytes []byte // of a longshore.v1.Event
}

func main() {
	log.SetFlags(0)
	var asked table
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		log.Fatal(err)
	}
	client, err := longshore.Connect()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	kept := map[string]string{}
	results := []any{}
	for _, call := range asked.Calls {
		results = append(results, made(ctx, client, call, kept))
	}
	for _, message := range asked.Messages {
		results = append(results, read(message))
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		log.Fatal(err)
	}
}

func made(ctx context.Context, client *longshore.Client, call call, kept map[string]string) any {
	service, name, _ := strings.Cut(call.Call, "/")
	stubs := map[string]any{
		"RegistryService": client.Registry, "SchedulerService": client.Scheduler, "StateTrackerService": client.StateTracker,
	}
	method := reflect.ValueOf(stubs[service]).MethodByName(name)
	request := reflect.New(method.Type().In(1).Elem())
	text := string(call.Request)
	for name, value := range kept {
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	if err := protojson.Unmarshal([]byte(text), request.Interface().(proto.Message)); err != nil {
		log.Fatalf("%s: %v", call.Name, err)
	}
	returned := method.Call([]reflect.Value{reflect.ValueOf(ctx), request})
	if err, ok := returned[1].Interface().(error); ok {
		var refused *longshore.Error
		if !errors.As(err, &refused) {
			log.Fatalf("%s: %v", call.Name, err)
		}
		return map[string]any{"name": call.Name, "error": map[string]any{
			"code": codeName(refused), "reason": refused.Reason, "message": refused.Message,
		}}
	}
	answer := inJSON(returned[0].Interface().(proto.Message))
	for name, path := range call.Keep {
		kept[name] = at(answer, path)
	}
	return map[string]any{"name": call.Name, "answer": answer}
}

// read tells what is in an event as this language's programs see it, beside its JSON and its bytes written anew.
func read(message message) any {
	event := &longshorev1.Event{}
	if err := proto.Unmarshal(message.Bytes, event); err != nil {
		log.Fatalf("%s: %v", message.Name, err)
	}
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(event)
	if err != nil {
		log.Fatal(err)
	}
	facts := map[string]any{
		"next_sequence": strconv.FormatInt(event.GetSequence()+1, 10),
		"at":            "absent",
		"change":        "none",
		"running":       event.GetTask().GetLastStatus() == longshorev1.TaskStatus_TASK_STATUS_RUNNING,
		"last_status":   int32(event.GetTask().GetLastStatus()),
		"exit_codes":    exitCodes(event.GetTask().GetContainers()),
	}
	if event.GetAt() != nil {
		facts["at"] = strconv.FormatInt(event.GetAt().AsTime().UnixMicro(), 10)
	}
	switch event.GetChange().(type) {
	case *longshorev1.Event_Task:
		facts["change"] = "task"
	case *longshorev1.Event_ContainerInstance:
		facts["change"] = "container_instance"
	}
	return map[string]any{"name": message.Name, "json": inJSON(event), "bytes": again, "facts": facts}
}

func exitCodes(containers []*longshorev1.ContainerObservation) []string {
	found := []string{}
	for _, container := range containers {
		if container.ExitCode == nil {
			found = append(found, "absent")
		} else {
			found = append(found, strconv.Itoa(int(*container.ExitCode)))
		}
	}
	return found
}

func inJSON(message proto.Message) any {
	text, err := protojson.Marshal(message)
	if err != nil {
		log.Fatal(err)
	}
	var found any
	if err := json.Unmarshal(text, &found); err != nil {
		log.Fatal(err)
	}
	return found
}

func at(document any, path string) string {
	for _, step := range strings.Split(path, ".") {
		if index, err := strconv.Atoi(step); err == nil {
			document = document.([]any)[index]
		} else {
			document = document.(map[string]any)[step]
		}
	}
	return document.(string)
}

// codeName is the code as gRPC's specification spells it: InvalidArgument, INVALID_ARGUMENT.
func codeName(refused *longshore.Error) string {
	var name strings.Builder
	for index, letter := range refused.Code.String() {
		if index > 0 && letter >= 'A' && letter <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(letter)
	}
	return strings.ToUpper(name.String())
}
