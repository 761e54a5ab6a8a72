package kafkatest

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events/kafka"
)

// cable is a network that can be cut.
type cable struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func newCable(cfg kafka.Config) *cable {
	if cfg.Dial == nil {
		return &cable{dial: new(net.Dialer).DialContext}
	}
	return &cable{dial: cfg.Dial}
}

func (c *cable) connect(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return nil, errors.Join(errors.New("the cable is cut"), conn.Close())
	}
	c.conns = append(c.conns, conn)
	return conn, nil
}

// set cuts the cable or mends it.
func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

// tapIsCutOff: a member that nobody hears of loses its partitions. When it is back it takes nothing that others took, and
// commits nothing, before it is given partitions again.
func tapIsCutOff(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	c := newCrew(k, k.topic("t", 2), 2)
	wire := newCable(cfg)
	plain := k.cfg
	k.cfg.Dial, k.cfg.SessionTimeout = wire.connect, 2*time.Second
	lost, sink, _ := c.join()
	k.cfg = plain
	c.wave("one tap takes all")
	wire.set(true)
	_, second, leave := c.join()
	c.wave("the other tap takes over")
	if got := second.look(func(s *tank) bool { return len(s.ids) == 2 }); !got {
		t.Error("the other tap took only one partition: nobody was cut off")
	}
	wire.set(false)
	k.eventually("the tap that was cut off gives its partitions back", func() bool {
		return sink.look(func(s *tank) bool {
			for _, calls := range s.calls {
				if !slices.Contains(calls, "revoked") {
					return false
				}
			}
			return true
		})
	})
	c.waveUntil("it has a share again", func() bool {
		return sink.look(func(s *tank) bool {
			for _, calls := range s.calls {
				if i := slices.Index(calls, "revoked"); slices.Contains(calls[i:], "assigned") {
					return true
				}
			}
			return false
		})
	})
	leave()
	c.wave("it takes all")
	for p := range 2 {
		k.eventually("it may commit", func() bool {
			return lost.Commit(k.ctx, sink.partition(c.key(p)), int64(c.written[p])) == nil
		})
	}
}
