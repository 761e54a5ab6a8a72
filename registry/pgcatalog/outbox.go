package pgcatalog

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/outbox"
)

// channel wakes relays. The poll behind it finds what a lost notification announced.
const channel = "signalbox_outbox"

// enqueue writes events to the outbox of the transaction. Events of one key come out in the order of their ids because
// whoever writes them holds the lock of the row that they are about.
func enqueue(ctx context.Context, tx pgx.Tx, evs []events.Event) error {
	if len(evs) == 0 {
		return nil
	}
	b := &pgx.Batch{}
	for _, ev := range evs {
		topic, ok := events.TopicOf(ev.Type())
		if !ok {
			return fmt.Errorf("event type %q has no topic: only lifecycle events go through the outbox", ev.Type())
		}
		body, err := json.Marshal(ev)
		if err != nil {
			return fmt.Errorf("event %s: %w", ev.ID(), err)
		}
		b.Queue(`INSERT INTO outbox (topic, key, event) VALUES ($1, $2, $3)`, topic, keyOf(ev), json.RawMessage(body))
	}
	b.Queue(`SELECT pg_notify($1, '')`, channel)
	return tx.SendBatch(ctx, b).Close()
}

// keyOf is the record key: the extension partitionkey, else the subject.
func keyOf(ev events.Event) string {
	key, _ := ev.Extensions()["partitionkey"].(string)
	return cmp.Or(key, ev.Subject())
}

// PendingEvents returns the events that wait for the relay, oldest first, without taking them.
func (c *Catalog) PendingEvents(ctx context.Context) ([]events.Event, error) {
	rows, err := c.pool.Query(ctx, `SELECT id, event FROM outbox ORDER BY id`)
	waiting, err := collect(rows, err, scanWaiting)
	if err != nil {
		return nil, fmt.Errorf("pending events: %w", err)
	}
	return inOrder(waiting), nil
}

// Outbox is the outbox.Source of a relay.
type Outbox struct{ c *Catalog }

var (
	_ outbox.Source = (*Outbox)(nil)
	_ outbox.Waker  = (*Outbox)(nil)
)

// Outbox returns the outbox that every mutation writes to. It lives as long as the catalog.
func (c *Catalog) Outbox() *Outbox { return &Outbox{c: c} }

// Claim implements outbox.Source: one transaction around publish, under a lock that only one relay has. A transaction
// that waits for the log holds up no mutation.
func (o *Outbox) Claim(ctx context.Context, n int, publish func(evs []events.Event) error) (int, error) {
	taken := 0
	err := o.c.once(ctx, func(tx pgx.Tx) error {
		// The log may take its time; everything else of the catalog's is quick.
		if _, err := tx.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = '1min'`); err != nil {
			return err
		}
		var mine bool
		if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1)`, lockKey("outbox")).Scan(&mine); err != nil || !mine {
			return err
		}
		// A statement of its own, so that it sees what the relay before us deleted.
		rows, err := tx.Query(ctx, `
			DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT $1) RETURNING id, event`, n)
		waiting, err := collect(rows, err, scanWaiting)
		if err != nil || len(waiting) == 0 {
			return err
		}
		taken = len(waiting)
		return publish(inOrder(waiting))
	})
	if err != nil {
		return 0, fmt.Errorf("relay outbox: %w", err)
	}
	return taken, nil
}

// Wake implements outbox.Waker with LISTEN on a connection of its own.
func (o *Outbox) Wake(ctx context.Context, wake func()) error {
	conn, err := o.c.session(ctx)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer closeSession(conn)
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for {
		wake() // at first for what came before
		if _, err := conn.WaitForNotification(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("listen: %w", err)
		}
	}
}

type waiting struct {
	id int64
	ev events.Event
}

func scanWaiting(row pgx.Row) (waiting, error) {
	var w waiting
	var body []byte
	err := row.Scan(&w.id, &body)
	if err != nil {
		return w, err
	}
	if w.ev, err = events.ParseJSON(body); err != nil {
		return w, fmt.Errorf("outbox row %d: %w", w.id, err)
	}
	return w, nil
}

// inOrder sorts, because RETURNING does not, and strips the ids.
func inOrder(ws []waiting) []events.Event {
	slices.SortFunc(ws, func(a, b waiting) int { return cmp.Compare(a.id, b.id) })
	out := make([]events.Event, len(ws))
	for i, w := range ws {
		out[i] = w.ev
	}
	return out
}
