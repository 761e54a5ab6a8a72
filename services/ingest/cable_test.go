package ingest

import (
	"context"
	"errors"
	"net"
	"sync"
)

// state of a cable.
type state int

const (
	whole state = iota
	cut         // connections hang up and dials fail
	mute        // what is sent arrives, and no answer comes back
)

// cable is a network that can fail.
type cable struct {
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	mu    sync.Mutex
	state state
	conns []net.Conn
}

// Dial connects unless the cable is cut.
func (c *cable) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == cut {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("cable is cut")}
	}
	conn, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.conns = append(c.conns, conn)
	return &muted{Conn: conn, cable: c}, nil
}

// set changes the state; connections that were made before do not survive being cut or mended.
func (c *cable) set(s state) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s != mute {
		for _, conn := range c.conns {
			_ = conn.Close()
		}
		c.conns = nil
	}
	c.state = s
}

// muted loses what comes back while its cable is mute.
type muted struct {
	net.Conn
	cable *cable
}

func (m *muted) Read(p []byte) (int, error) {
	for {
		n, err := m.Conn.Read(p)
		m.cable.mu.Lock()
		lost := m.cable.state == mute
		m.cable.mu.Unlock()
		if err != nil || !lost {
			return n, err
		}
	}
}
