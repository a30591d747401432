package longshore

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// RequestIDKey is the metadata that names a request. Calls that bring none get one, the same for all their repetitions. It
// is in the components' logs and in the events that the request causes.
const RequestIDKey = "longshore-request-id"

const tokenField protoreflect.Name = "client_token"

// named gives the errors of calls their names.
func named(ctx context.Context, method string, request, answer any, connection *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	return nameError(invoke(ctx, method, request, answer, connection, options...))
}

func identified(ctx context.Context, method string, request, answer any, connection *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	return invoke(withRequestID(ctx), method, request, answer, connection, options...)
}

// tokened gives a request that takes a client token one of its own, so that its repetitions act once.
func tokened(ctx context.Context, method string, request, answer any, connection *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	if message, ok := request.(proto.Message); ok {
		field := message.ProtoReflect().Descriptor().Fields().ByName(tokenField)
		if field != nil && message.ProtoReflect().Get(field).String() == "" {
			message = proto.Clone(message)
			message.ProtoReflect().Set(field, protoreflect.ValueOfString(randomID()))
			request = message
		}
	}
	return invoke(ctx, method, request, answer, connection, options...)
}

func identifiedStream(ctx context.Context, description *grpc.StreamDesc, connection *grpc.ClientConn, method string,
	begin grpc.Streamer, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return begin(withRequestID(ctx), description, connection, method, options...)
}

func namedStream(ctx context.Context, description *grpc.StreamDesc, connection *grpc.ClientConn, method string,
	begin grpc.Streamer, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	stream, err := begin(ctx, description, connection, method, options...)
	if err != nil {
		return nil, nameError(err)
	}
	return namingStream{stream}, nil
}

type namingStream struct{ grpc.ClientStream }

func (s namingStream) RecvMsg(answer any) error  { return nameError(s.ClientStream.RecvMsg(answer)) }
func (s namingStream) SendMsg(request any) error { return nameError(s.ClientStream.SendMsg(request)) }

func withRequestID(ctx context.Context) context.Context {
	if sent, ok := metadata.FromOutgoingContext(ctx); ok && len(sent.Get(RequestIDKey)) > 0 {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, RequestIDKey, randomID())
}

func randomID() string {
	var bytes [16]byte
	_, _ = rand.Read(bytes[:]) // it never fails
	return hex.EncodeToString(bytes[:])
}
