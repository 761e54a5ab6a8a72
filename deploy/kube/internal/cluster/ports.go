//go:build linux

package cluster

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// ports are where the programs listen. None is fixed, so that clusters of ModeAPI live side by side.
type ports struct {
	api, etcd, etcdPeer, manager, scheduler, kubelet, kubeletHealth, proxyMetrics, proxyHealth int
}

// firstPort and lastPort lie below the range that the kernel takes ports of outgoing connections from: a program that
// is killed must find its port free when it comes back.
const (
	firstPort = 20000
	lastPort  = 32000
)

// pickPorts finds free ports on the address of the API, which is where everything else may listen too.
func pickPorts(host string) (ports, error) {
	var p ports
	taken := map[int]bool{}
	for _, want := range []*int{
		&p.api, &p.etcd, &p.etcdPeer, &p.manager, &p.scheduler, &p.kubelet, &p.kubeletHealth, &p.proxyMetrics, &p.proxyHealth,
	} {
		for try := 0; *want == 0; try++ {
			if try == 1000 {
				return ports{}, errors.New("no free port between 20000 and 32000")
			}
			port := firstPort + rand.IntN(lastPort-firstPort)
			if !taken[port] && free(host, port) && free("127.0.0.1", port) {
				*want, taken[port] = port, true
			}
		}
	}
	return p, nil
}

func free(host string, port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// at returns a URL of this machine itself.
func at(port int) string { return "https://127.0.0.1:" + strconv.Itoa(port) }
