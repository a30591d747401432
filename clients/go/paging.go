package longshore

import (
	"context"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const nextToken protoreflect.Name = "next_token"

// Pages yields every page of a list operation, until there is no next one or a call fails:
//
//	for page, err := range longshore.Pages(ctx, client.StateTracker.ListTasks, &longshorev1.ListTasksRequest{}) { … }
func Pages[Request, Answer proto.Message](
	ctx context.Context, list func(context.Context, Request, ...grpc.CallOption) (Answer, error), request Request,
) iter.Seq2[Answer, error] {
	return func(yield func(Answer, error) bool) {
		asked := proto.CloneOf(request)
		for {
			page, err := list(ctx, asked)
			if !yield(page, err) || err != nil {
				return
			}
			answered := page.ProtoReflect()
			token := answered.Get(answered.Descriptor().Fields().ByName(nextToken)).String()
			if token == "" {
				return
			}
			message := asked.ProtoReflect()
			message.Set(message.Descriptor().Fields().ByName(nextToken), protoreflect.ValueOfString(token))
		}
	}
}
