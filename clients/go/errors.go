package longshore

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const errorDomain = "longshore"

// A Reason is the name of an error, as ECS names it. The constants of this package are all that there are.
type Reason string

// An Error is what a call was refused with. Every error that a call of a [Client] returns is one:
//
//	var refused *longshore.Error
//	if errors.As(err, &refused) && refused.Reason == longshore.ClusterNotFoundException { … }
//
// What ECS answers inside a success (failures with RESOURCE:CPU) is in the answer.
type Error struct {
	// Reason is the error's name. Empty where the status came from something that knows none: gRPC itself, a proxy.
	Reason   Reason
	Code     codes.Code
	Message  string
	Metadata map[string]string // what the message speaks of, for programs

	status *status.Status
}

func (e *Error) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s", e.Reason, e.Message)
}

// GRPCStatus makes status.FromError and status.Code work.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// ReasonOf tells the name of an error of a call; empty where it has none.
func ReasonOf(err error) Reason {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}

func nameError(err error) error {
	var already *Error
	if err == nil || errors.As(err, &already) {
		return err
	}
	found, ok := status.FromError(err)
	if !ok {
		return err // no answer of a server: io.EOF at the end of a stream
	}
	refused := &Error{Code: found.Code(), Message: found.Message(), status: found}
	for _, detail := range found.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == errorDomain {
			refused.Reason, refused.Metadata = Reason(info.GetReason()), info.GetMetadata()
		}
	}
	return refused
}

// nameContextError is what gRPC would say of a context that has ended.
func nameContextError(ctx context.Context) error {
	found := status.FromContextError(ctx.Err())
	return &Error{Code: found.Code(), Message: found.Message(), status: found}
}
