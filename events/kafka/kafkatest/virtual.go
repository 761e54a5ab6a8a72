// Package kafkatest has brokers to test against, one in memory for synctest bubbles and a real Apache Kafka, and the
// contract suite of package kafka that runs on both.
package kafkatest

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/signalbox-ml/signalbox/events/kafka"
)

const virtualPort = 9092

// Virtual is a broker on a network that exists only in memory, so that a synctest bubble owns its clock. Its Cluster
// injects faults.
type Virtual struct {
	Cluster *kfake.Cluster
	network *kfake.VirtualNetwork
}

// NewVirtual starts a broker. opts come after the kit's own. Inside a bubble, Close it before the bubble ends.
func NewVirtual(opts ...kfake.Opt) (*Virtual, error) {
	v := &Virtual{network: &kfake.VirtualNetwork{}}
	base := []kfake.Opt{kfake.NumBrokers(1), kfake.Ports(virtualPort), kfake.ListenFn(v.network.Listen)}
	c, err := kfake.NewCluster(append(base, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("virtual broker: %w", err)
	}
	v.Cluster = c
	return v, nil
}

// Config returns how to reach the broker.
func (v *Virtual) Config() kafka.Config {
	return kafka.Config{Brokers: []string{fmt.Sprintf("localhost:%d", virtualPort)}, Dial: v.network.DialContext}
}

// Close stops the broker.
func (v *Virtual) Close() { v.Cluster.Close() }
