package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
)

// maxConns bounds the connections of an open load. Who runs out of them waits for answers, and is no open load any more.
const maxConns = 4000

// settling is how long an open load lasts before it counts: a server is as good as empty at its beginning.
const settling = time.Second

// offered is what became of an open load, in requests but for events and ids.
type offered struct {
	planned, starved int     // starved: not sent for want of a connection
	taken, refused   int     // refused: with 429 or 503
	waitless         int     // refused without Retry-After
	wrong, broken    int     // answered with anything else; without an answer
	conns            int     // that were made
	inTime           int64   // events whose success was known while the load counted
	whole, single    []int64 // first ids of batches, and ids of events, that are in the log by what the server says
	// Milliseconds: from schedule to the wire, to success, and to refusal.
	late, toSuccess, toRefusal []float64
}

// order is one arrival.
type order struct {
	due   time.Time
	first int64 // id
}

// crowd is a load whose arrivals do not wait for answers.
type crowd struct {
	t         target
	from, end time.Time  // between these it counts
	batch     *request   // what every client begins with
	orders    chan order // only a client that has nothing to do takes one
	all       sync.WaitGroup

	mu  sync.Mutex
	out offered
}

// open offers batches at a rate a second until it has settled and lasted as long as a round's load does, with ids from first
// on, and waits for the answers.
func (b *bench) open(ctx context.Context, t target, rate float64, first int64) (offered, error) {
	begin := time.Now()
	from := begin.Add(settling)
	c := &crowd{t: t, from: from, end: from.Add(b.span), batch: newRequest(batched, t.addr, t.token, 0), orders: make(chan order)}
	c.out.planned = int(rate * c.end.Sub(begin).Seconds())
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for sent := 0; sent < c.out.planned && ctx.Err() == nil; <-tick.C {
		for due := min(c.out.planned, int(time.Since(begin).Seconds()*rate)); sent < due; sent++ {
			c.arrive(order{due: begin.Add(time.Duration(float64(sent) / rate * float64(time.Second))), first: first + int64(sent)*batchSize})
		}
	}
	close(c.orders)
	c.all.Wait()
	return c.out, context.Cause(ctx)
}

// arrive hands an order to a client, a new one if all are busy.
func (c *crowd) arrive(o order) {
	select {
	case c.orders <- o:
		return
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.conns == maxConns {
		c.out.starved++
		return
	}
	c.out.conns++
	c.all.Go(func() { c.work(o) })
}

// work is a client: its first order, and then whatever comes.
func (c *crowd) work(o order) {
	req := &request{text: bytes.Clone(c.batch.text), ids: c.batch.ids}
	var conn *client
	for ok := true; ok; o, ok = <-c.orders {
		var err error
		if conn == nil {
			if conn, err = dial(c.t.addr, req); err != nil {
				c.note(o, time.Now(), answer{}, err)
				continue
			}
		}
		sent := time.Now()
		a, err := conn.do(o.first)
		c.note(o, sent, a, err)
		if err != nil {
			conn.close()
			conn = nil
		}
	}
	if conn != nil {
		conn.close()
	}
}

// note counts an answer.
func (c *crowd) note(o order, sent time.Time, a answer, err error) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &c.out
	out.late = append(out.late, figures.Millis(sent.Sub(o.due)))
	if err != nil && !errors.Is(err, errClosing) {
		out.broken++
		return
	}
	n := int64(0)
	switch a.status {
	case http.StatusOK:
		n = batchSize
		out.whole = append(out.whole, o.first)
	case http.StatusMultiStatus:
		for _, r := range a.results {
			if r.Status == http.StatusAccepted {
				n++
				out.single = append(out.single, numberOf([]byte(r.ID)))
			}
		}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		out.refused++
		out.toRefusal = append(out.toRefusal, figures.Millis(now.Sub(o.due)))
		if !a.wait {
			out.waitless++
		}
		return
	default:
		out.wrong++
		return
	}
	if a.status == http.StatusMultiStatus && !a.wait {
		out.waitless++ // what failed of it may come again, too
	}
	out.taken++
	out.toSuccess = append(out.toSuccess, figures.Millis(now.Sub(o.due)))
	if now.After(c.from) && now.Before(c.end) {
		out.inTime += n
	}
}
