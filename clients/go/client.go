// Package longshore speaks to a Longshore control plane over gRPC.
//
// The generated stubs are in package longshorev1 and can be used by themselves. A [Client] adds what every program needs:
// it finds the components as the longshore command does, repeats calls while the answer is UNAVAILABLE (under one client
// token, so that a task is run once), names errors as ECS names them, watches and reads logs over lost connections, and
// waits for tasks.
//
//	client, err := longshore.Connect()
//	if err != nil { … }
//	defer client.Close()
//	answer, err := client.Scheduler.RunTask(ctx, &longshorev1.RunTaskRequest{TaskDefinition: proto.String("hello")})
package longshore

import (
	"crypto/tls"
	"errors"

	"google.golang.org/grpc"

	"github.com/longshore-project/longshore/clients/go/longshorev1"
)

// A Client has a stub for each component. It may be used by any number of goroutines.
type Client struct {
	Registry     longshorev1.RegistryServiceClient
	Scheduler    longshorev1.SchedulerServiceClient
	StateTracker longshorev1.StateTrackerServiceClient

	connections []*grpc.ClientConn
}

type settings struct {
	server      string
	addresses   *Addresses
	tls         *tls.Config
	dialOptions []grpc.DialOption
}

// An Option changes what [Connect] does.
type Option func(*settings)

// WithServer names the host of the control plane; the components are at their usual ports there. The environment is not
// asked.
func WithServer(host string) Option { return func(s *settings) { s.server = host } }

// WithAddresses names each component's addresses. The environment is not asked.
func WithAddresses(addresses Addresses) Option { return func(s *settings) { s.addresses = &addresses } }

// WithTLS sets what connections are secured with, in place of the files that LONGSHORE_TLS_CERT_FILE,
// LONGSHORE_TLS_KEY_FILE and LONGSHORE_TLS_CA_FILE name.
func WithTLS(config *tls.Config) Option { return func(s *settings) { s.tls = config } }

// WithDialOptions adds options of gRPC's own (interceptors, statistics, message sizes). They come after ours and win.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dialOptions = append(s.dialOptions, options...) }
}

// Connect prepares a client. Nothing is sent yet: a component that is away shows at the first call.
//
// Without options it goes where the variables LONGSHORE_SERVER, or LONGSHORE_REGISTRY, LONGSHORE_SCHEDULER and
// LONGSHORE_STATE_TRACKER (lists of host:port, for replicas), say; without those, to this machine.
func Connect(options ...Option) (*Client, error) {
	var chosen settings
	for _, option := range options {
		option(&chosen)
	}
	addresses, err := chosen.resolve()
	if err != nil {
		return nil, err
	}
	client := &Client{}
	for _, replicas := range [][]string{addresses.Registry, addresses.Scheduler, addresses.StateTracker} {
		connection, err := dial(replicas, &chosen)
		if err != nil {
			return nil, errors.Join(err, client.Close())
		}
		client.connections = append(client.connections, connection)
	}
	client.Registry = longshorev1.NewRegistryServiceClient(client.connections[0])
	client.Scheduler = longshorev1.NewSchedulerServiceClient(client.connections[1])
	client.StateTracker = longshorev1.NewStateTrackerServiceClient(client.connections[2])
	return client, nil
}

// Close closes the connections; calls under way are cancelled.
func (c *Client) Close() error {
	var failed error
	for _, connection := range c.connections {
		failed = errors.Join(failed, connection.Close())
	}
	c.connections = nil
	return failed
}
