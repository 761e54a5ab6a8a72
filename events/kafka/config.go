package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Config says how to reach Kafka. Every type of this package has one.
type Config struct {
	// Brokers to ask first, host:port each. Required.
	Brokers []string
	// ClientID names this program to the brokers; empty means "signalbox".
	ClientID string
	// SessionTimeout is how long a group waits for a member that does not answer before others get its partitions; 0 means
	// 8 s. Brokers bound it: group.min.session.timeout.ms is 6 s unless they are told otherwise.
	SessionTimeout time.Duration
	// GroupProtocol is GroupClassic or GroupConsumer; empty means GroupClassic.
	GroupProtocol string
	// SASL says who this program is, TLS how it connects. The zero values are for brokers that ask for neither.
	SASL SASL
	TLS  TLS
	// Dial replaces the network; nil dials TCP. Test kits pass a virtual network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Log gets what happens in the background; nil discards.
	Log *slog.Logger
	// Tracing and Metrics replace the process-wide providers; nil uses those.
	Tracing trace.TracerProvider
	Metrics metric.MeterProvider
}

func (c Config) withDefaults() Config {
	if c.ClientID == "" {
		c.ClientID = "signalbox"
	}
	if c.SessionTimeout == 0 {
		c.SessionTimeout = sessionTimeout
	}
	if c.GroupProtocol == "" {
		c.GroupProtocol = GroupClassic
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Tracing == nil {
		c.Tracing = otel.GetTracerProvider()
	}
	if c.Metrics == nil {
		c.Metrics = otel.GetMeterProvider()
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	if len(c.Brokers) == 0 {
		faults = append(faults, errors.New("kafka: Brokers is empty"))
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			faults = append(faults, fmt.Errorf("kafka: broker %q: want host:port", b))
		}
	}
	if c.SessionTimeout != 0 && (c.SessionTimeout < minSessionTimeout || c.SessionTimeout >= rebalanceTimeout) {
		faults = append(faults, fmt.Errorf("kafka: SessionTimeout %s: want %s to %s", c.SessionTimeout, minSessionTimeout, rebalanceTimeout))
	}
	if p := c.GroupProtocol; p != "" && p != GroupClassic && p != GroupConsumer {
		faults = append(faults, fmt.Errorf("kafka: GroupProtocol %q: want %s or %s", p, GroupClassic, GroupConsumer))
	}
	return errors.Join(append(faults, c.SASL.validate(c.TLS.Enabled), c.TLS.validate())...)
}

// metadataMinAge bounds how often a client asks again for topics that it misses.
const metadataMinAge = 250 * time.Millisecond

// open makes a client. It does not connect: unreachable brokers show in what is done with it. Files that cannot be read
// show at once.
func (c Config) open(opts ...kgo.Opt) (*kgo.Client, error) {
	_, tlsErr := c.TLS.load("")
	_, passErr := c.SASL.password()
	if err := errors.Join(tlsErr, passErr); err != nil {
		return nil, err
	}
	base := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.SoftwareNameAndVersion("signalbox", "1"),
		kgo.WithLogger(clientLog{c.Log, c.explain}),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.DisableClientMetrics(),
		kgo.Dialer(c.dialer()),
	}
	cl, err := kgo.NewClient(slices.Concat(base, c.SASL.options(), opts)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return cl, nil
}

// leaveTimeout bounds how long a stopping client tries to tell the brokers.
const leaveTimeout = 3 * time.Second

// closeClient leaves the group, if any, without hanging on brokers that do not answer.
func closeClient(cl *kgo.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	_ = cl.LeaveGroupContext(ctx) // an unreachable coordinator drops the member by its session timeout
	cl.Close()
}
