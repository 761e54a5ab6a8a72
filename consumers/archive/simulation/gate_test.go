package simulation_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// gate lets callers through, or holds them until it opens.
type gate struct {
	mu     sync.Mutex
	holds  int
	opened chan struct{}
}

// hold shuts the gate for d.
func (g *gate) hold(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holds++; g.holds == 1 {
		g.opened = make(chan struct{})
	}
	time.AfterFunc(d, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.holds--; g.holds == 0 {
			close(g.opened)
		}
	})
}

// pass waits until the gate is open. A stopped process hears of no context, so it takes none.
func (g *gate) pass() {
	for {
		g.mu.Lock()
		opened, shut := g.opened, g.holds > 0
		g.mu.Unlock()
		if !shut {
			return
		}
		<-opened
	}
}

// cable is the network of one process: it can be cut, so that connections hang up and dials fail, and held, so that bytes
// wait.
type cable struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	life *life
	held gate

	mu    sync.Mutex
	cuts  int
	conns map[net.Conn]bool
}

var errCut = errors.New("cable is cut")

// Dial is for kafka.Config.
func (c *cable) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := c.life.pass(); err != nil {
		return nil, err
	}
	c.held.pass()
	if c.isCut() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errCut}
	}
	conn, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns == nil {
		c.conns = map[net.Conn]bool{}
	}
	c.conns[conn] = true
	return &wire{conn, c}, nil
}

func (c *cable) isCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts > 0
}

// cut hangs up, and returns what repairs the cable and how many connections there were.
func (c *cable) cut() (repair func(), broken int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cuts++
	broken = len(c.conns)
	for conn := range c.conns {
		_ = conn.Close()
	}
	clear(c.conns)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.cuts--
	}, broken
}

// wire is a connection through a cable.
type wire struct {
	net.Conn
	cable *cable
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.cable.held.pass()
	if dead := w.cable.life.pass(); dead != nil {
		return 0, dead
	}
	return n, err
}

// latency of a cable. Without any, a client that asks again at once would stop the clock that its next step waits for.
const latency = 5 * time.Millisecond

func (w *wire) Write(b []byte) (int, error) {
	wait(latency)
	w.cable.held.pass()
	if dead := w.cable.life.pass(); dead != nil {
		return 0, dead
	}
	return w.Conn.Write(b)
}

func (w *wire) Close() error {
	w.cable.mu.Lock()
	delete(w.cable.conns, w.Conn)
	w.cable.mu.Unlock()
	return w.Conn.Close()
}
