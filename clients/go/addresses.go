package longshore

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

const (
	registryPort     = "8701"
	schedulerPort    = "8702"
	stateTrackerPort = "8703"
)

// Addresses tells where the components are: host:port of each, one or more replicas.
type Addresses struct {
	Registry     []string
	Scheduler    []string
	StateTracker []string
}

func (s *settings) resolve() (Addresses, error) {
	if s.addresses != nil {
		return checked(*s.addresses)
	}
	environment := os.Getenv
	if s.server != "" {
		environment = func(string) string { return "" }
	}
	return resolve(s.server, environment)
}

// resolve finds the components: the server with the usual ports, each overridden by a variable of its own.
func resolve(server string, environment func(string) string) (Addresses, error) {
	host := first(server, environment("LONGSHORE_SERVER"), "127.0.0.1")
	bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.ContainsAny(bare, " ,/") || (strings.Contains(bare, ":") && net.ParseIP(bare) == nil) {
		return Addresses{}, fmt.Errorf("the server is %q: a host without port is meant; the ports are fixed", host)
	}
	component := func(variable, port string) []string {
		if listed := strings.Trim(environment(variable), ", "); listed != "" {
			return strings.Split(listed, ",")
		}
		return []string{net.JoinHostPort(bare, port)}
	}
	return checked(Addresses{
		Registry:     component("LONGSHORE_REGISTRY", registryPort),
		Scheduler:    component("LONGSHORE_SCHEDULER", schedulerPort),
		StateTracker: component("LONGSHORE_STATE_TRACKER", stateTrackerPort),
	})
}

func checked(asked Addresses) (Addresses, error) {
	var err error
	tidy := func(component string, given []string) []string {
		var found []string
		for _, address := range given {
			address = strings.TrimSpace(address)
			host, port, fault := net.SplitHostPort(address)
			if number, bad := strconv.Atoi(port); fault != nil || bad != nil || host == "" || number < 0 || number > 65535 {
				err = fmt.Errorf("the address of the %s is %q: host:port is meant", component, address)
			}
			found = append(found, address)
		}
		if len(found) == 0 {
			err = fmt.Errorf("no address of the %s is given", component)
		}
		return found
	}
	found := Addresses{
		Registry:     tidy("registry", asked.Registry),
		Scheduler:    tidy("scheduler", asked.Scheduler),
		StateTracker: tidy("state-tracker", asked.StateTracker),
	}
	return found, err
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
