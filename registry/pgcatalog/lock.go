package pgcatalog

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrLockLost is the cause by which the context of a Lock's holder ends when the connection that holds the lock does.
var ErrLockLost = errors.New("session lock lost")

// Lock waits until nobody else in the database holds the lock called name, and runs fn while holding it. The lock is a
// connection: when that breaks, somebody else may hold the lock at once, so fn's context ends with ErrLockLost. A
// process that was paused may notice late; what must not be done twice needs a fence of its own.
func (c *Catalog) Lock(ctx context.Context, name string, fn func(ctx context.Context) error) error {
	conn, err := c.session(ctx)
	if err != nil {
		return fmt.Errorf("lock %s: %w", name, err)
	}
	defer closeSession(conn)
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", lockKey(name)); err != nil {
		return fmt.Errorf("lock %s: %w", name, err)
	}
	held, lose := context.WithCancelCause(ctx)
	watching, done := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		// Nothing is listened to, so this returns when the connection ends, or when fn does.
		for watching.Err() == nil {
			if _, err := conn.WaitForNotification(watching); err != nil {
				lose(fmt.Errorf("%w: %w", ErrLockLost, err))
				return
			}
		}
	})
	err = fn(held)
	done()
	watch.Wait()
	return err
}

// session opens a connection outside of the pool, for as long as the caller likes.
func (c *Catalog) session(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, c.pool.Config().ConnConfig.Copy())
	if err != nil {
		return nil, err
	}
	// Otherwise the server notices only once it has the lock that the client behind a wait is gone.
	if _, err := conn.Exec(ctx, "SET client_connection_check_interval = '1s'"); err != nil {
		closeSession(conn)
		return nil, err
	}
	return conn, nil
}

func closeSession(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn.Close(ctx) // the server frees what the session held, whether it hears this or not
}

// lockKey spreads names over the 64 bits that advisory locks have.
func lockKey(name string) int64 {
	sum := sha256.Sum256([]byte("signalbox lock " + name))
	return int64(binary.BigEndian.Uint64(sum[:]))
}
