package main

import (
	"context"
	"sync"
)

// moment is a place on the wire where a process can be held.
type moment string

// The steps of a flush, as the wire shows them.
const (
	fileSent     moment = "file sent"
	fileStored   moment = "file stored"
	updateSent   moment = "update sent" // of the ledger: the transaction has begun and holds no lock
	commitSent   moment = "commit sent"
	committed    moment = "committed"
	mirrorSent   moment = "manifest sent"
	mirrorStored moment = "manifest stored"
)

// partition is how file names and the ledger agree on one: the first eight digits of the topic's id, and the number.
type partition struct {
	topic  string
	number int32
}

// gate holds what one subject says or hears, at the moments that somebody waits for. Both proxies of a subject share it.
type gate struct {
	mu    sync.Mutex
	armed *catch
}

// catch waits for one moment and decides what becomes of it.
type catch struct {
	at      moment
	gate    *gate
	hit     chan partition // gets the partition that is held
	verdict chan bool
	once    sync.Once
}

// arm makes the next moment of that kind wait for a verdict. Only one catch is armed at a time: a newer one replaces it.
func (g *gate) arm(at moment) *catch {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = &catch{at: at, gate: g, hit: make(chan partition, 1), verdict: make(chan bool, 1)}
	return g.armed
}

// pass returns true when the bytes shall go on, and false when they shall be dropped with their connection.
func (g *gate) pass(at moment, p partition) bool {
	g.mu.Lock()
	c := g.armed
	if c == nil || c.at != at {
		g.mu.Unlock()
		return true
	}
	g.armed = nil
	g.mu.Unlock()
	c.hit <- p
	return <-c.verdict
}

// wait returns the partition that is held, or false when ctx ends first; then nothing will be held.
func (c *catch) wait(ctx context.Context) (partition, bool) {
	select {
	case p := <-c.hit:
		return p, true
	case <-ctx.Done():
	}
	c.gate.mu.Lock()
	if c.gate.armed == c {
		c.gate.armed = nil
	}
	c.gate.mu.Unlock()
	select {
	case p := <-c.hit: // just now
		return p, true
	default:
		return partition{}, false
	}
}

// release lets the held bytes go on, or drops them. Only the first word counts.
func (c *catch) release(forward bool) { c.once.Do(func() { c.verdict <- forward }) }
