package longshore

import (
	"context"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/longshore-project/longshore/clients/go/longshorev1"
)

const (
	firstPause       = 50 * time.Millisecond
	logsGivenUpAfter = 30 * time.Second
)

// Watch yields batches of events from the request's cursor on, in commit order, none missing and none twice, whatever
// connection is lost. Without a cursor it starts now; the first batch comes at once and may be empty.
//
// It goes on until the loop is left, or the context ends, or the server refuses: the error is then the last thing yielded.
// A cursor whose events were pruned is refused with code OUT_OF_RANGE.
func (c *Client) Watch(
	ctx context.Context, request *longshorev1.WatchEventsRequest,
) iter.Seq2[*longshorev1.WatchEventsResponse, error] {
	asked := proto.CloneOf(request)
	return resumed(ctx, func(ctx context.Context) (grpc.ServerStreamingClient[longshorev1.WatchEventsResponse], error) {
		return c.StateTracker.WatchEvents(ctx, asked)
	}, func(answer *longshorev1.WatchEventsResponse) { asked.Cursor = answer.Cursor }, endless)
}

// Logs yields what a task's containers wrote, from the first byte or the request's cursor on, over lost connections as Watch
// does. It ends by itself: at what there is, or with Follow once the task has stopped and everything came.
func (c *Client) Logs(
	ctx context.Context, request *longshorev1.ReadLogsRequest,
) iter.Seq2[*longshorev1.ReadLogsResponse, error] {
	asked := proto.CloneOf(request)
	heard := time.Now()
	ends := func(err error) bool {
		if errors.Is(err, io.EOF) {
			return true
		}
		return !asked.GetFollow() && time.Since(heard) > logsGivenUpAfter
	}
	return resumed(ctx, func(ctx context.Context) (grpc.ServerStreamingClient[longshorev1.ReadLogsResponse], error) {
		return c.StateTracker.ReadLogs(ctx, asked)
	}, func(answer *longshorev1.ReadLogsResponse) {
		asked.Cursor = proto.String(answer.GetCursor())
		heard = time.Now()
	}, ends)
}

func endless(error) bool { return false }

// resumed yields the answers of a stream that is begun anew each time it is lost. What an answer moves on is moved on before
// it is handed out: whoever took it has it, however the stream ends.
func resumed[Answer any](
	ctx context.Context,
	begin func(context.Context) (grpc.ServerStreamingClient[Answer], error),
	moveOn func(*Answer),
	ends func(error) bool,
) iter.Seq2[*Answer, error] {
	return func(yield func(*Answer, error) bool) {
		pause := firstPause
		for {
			left, err := func() (left bool, err error) {
				attempt, cancel := context.WithCancel(ctx)
				defer cancel()
				stream, err := begin(attempt)
				for err == nil {
					var answer *Answer
					if answer, err = stream.Recv(); err == nil {
						pause = firstPause
						moveOn(answer)
						if !yield(answer, nil) {
							return true, nil
						}
					}
				}
				return false, err
			}()
			switch {
			case left:
				return
			case ends(err) && errors.Is(err, io.EOF):
				return
			case ends(err), !errors.Is(err, io.EOF) && !isUnavailable(err):
				yield(nil, err)
				return
			}
			select {
			case <-time.After(rand.N(pause)):
				pause = min(2*pause, longestPause)
			case <-ctx.Done():
				yield(nil, nameContextError(ctx))
				return
			}
		}
	}
}

func isUnavailable(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Code == codes.Unavailable
}
