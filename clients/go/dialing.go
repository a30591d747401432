package longshore

import (
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// serviceConfig says which calls are repeated, when, and for how long: the same for the clients of every language.
//
//go:embed service_config.json
var serviceConfig string

const (
	messageLimit = 16 << 20 // bytes; the servers' own
	maxAttempts  = 100      // what service_config.json says counts only up to this; the deadline comes first

	connectTimeout  = 3 * time.Second
	firstReconnect  = 100 * time.Millisecond
	longestPause    = time.Second
	pingInterval    = 10 * time.Second // servers take it as an offence below 5 s
	pingTimeout     = 5 * time.Second
	backoffFactor   = 1.6
	backoffVariance = 0.2
)

// dial makes one connection for the replicas of a component: to one of them, the same as long as it stands.
func dial(replicas []string, chosen *settings) (*grpc.ClientConn, error) {
	security, err := chosen.credentials()
	if err != nil {
		return nil, err
	}
	// Each replica's certificate is checked against its own name.
	endpoints := make([]resolver.Endpoint, 0, len(replicas))
	for _, address := range replicas {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("%q is not host:port: %w", address, err)
		}
		endpoints = append(endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: address, ServerName: host}}})
	}
	// So that many clients spread over them.
	rand.Shuffle(len(endpoints), func(i, j int) { endpoints[i], endpoints[j] = endpoints[j], endpoints[i] })
	replicated := manual.NewBuilderWithScheme("longshore")
	replicated.InitialState(resolver.State{Endpoints: endpoints})

	options := []grpc.DialOption{
		grpc.WithTransportCredentials(security),
		grpc.WithResolvers(replicated),
		grpc.WithNoProxy(),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithMaxCallAttempts(maxAttempts),
		grpc.WithIdleTimeout(0),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageLimit)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: firstReconnect, Multiplier: backoffFactor, Jitter: backoffVariance, MaxDelay: longestPause,
			},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: pingInterval, Timeout: pingTimeout, PermitWithoutStream: true,
		}),
		grpc.WithChainUnaryInterceptor(named, identified, tokened),
		grpc.WithChainStreamInterceptor(namedStream, identifiedStream),
	}
	return grpc.NewClient("longshore:///"+replicas[0], append(options, chosen.dialOptions...)...)
}

func (s *settings) credentials() (credentials.TransportCredentials, error) {
	if s.tls != nil {
		return credentials.NewTLS(s.tls), nil
	}
	certificate, key, authority := os.Getenv("LONGSHORE_TLS_CERT_FILE"), os.Getenv("LONGSHORE_TLS_KEY_FILE"),
		os.Getenv("LONGSHORE_TLS_CA_FILE")
	if certificate == "" && key == "" && authority == "" {
		return insecure.NewCredentials(), nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if (certificate == "") != (key == "") {
		return nil, errors.New("a client certificate needs both LONGSHORE_TLS_CERT_FILE and LONGSHORE_TLS_KEY_FILE")
	}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("LONGSHORE_TLS_CERT_FILE and LONGSHORE_TLS_KEY_FILE: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if authority != "" {
		text, err := os.ReadFile(authority)
		if err != nil {
			return nil, fmt.Errorf("LONGSHORE_TLS_CA_FILE: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("LONGSHORE_TLS_CA_FILE: %s holds no certificate", authority)
		}
	}
	return credentials.NewTLS(config), nil
}
