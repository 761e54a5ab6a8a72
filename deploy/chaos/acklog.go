package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// ack is a line of the log of acknowledgements.
type ack struct {
	ID  string        `json:"id"`
	At  time.Duration `json:"at"` // since the log was opened, by the monotonic clock
	How string        `json:"how"`
	// Topic is the id of the topic's life that has the event, where its producer knows.
	Topic string `json:"topic_id,omitempty"`
}

// ackLog is append-only. An event counts as acknowledged once its line is on the disk.
type ackLog struct {
	file   *os.File
	began  time.Time
	in     chan []ack
	closed chan struct{}
	count  int
	err    error

	mu    sync.Mutex
	fresh map[string]string // on the disk and not yet taken
}

// openAckLog makes a new log; its writer runs until close.
func openAckLog(path string) (*ackLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	l := &ackLog{file: f, began: time.Now(), in: make(chan []ack, 1024), closed: make(chan struct{}), fresh: map[string]string{}}
	go l.write()
	return l, nil
}

// add notes acknowledgements of one producer. topic may be unknown.
func (l *ackLog) add(how, topic string, ids ...string) {
	at := time.Since(l.began)
	lines := make([]ack, 0, len(ids))
	for _, id := range ids {
		lines = append(lines, ack{ID: id, At: at, How: how, Topic: topic})
	}
	l.in <- lines
}

// write puts whatever has come together on the disk at once: a sync for each event would be the slowest part of all.
func (l *ackLog) write() {
	defer close(l.closed)
	w := bufio.NewWriter(l.file)
	enc := json.NewEncoder(w)
	for lines := range l.in {
		var done []ack
		for more := true; more; {
			for _, a := range lines {
				l.err = errors.Join(l.err, enc.Encode(a))
				done = append(done, a)
			}
			select {
			case lines, more = <-l.in:
			default:
				more = false
			}
		}
		if err := errors.Join(w.Flush(), l.file.Sync()); err != nil {
			l.err = errors.Join(l.err, err)
			continue
		}
		l.count += len(done)
		l.mu.Lock()
		for _, a := range done {
			l.fresh[a.ID] = a.Topic
		}
		l.mu.Unlock()
	}
}

// take hands over what was acknowledged since the last time.
func (l *ackLog) take() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := l.fresh
	l.fresh = map[string]string{}
	return fresh
}

// close ends the log once every producer has, and returns how many lines are on the disk.
func (l *ackLog) close() (int, error) {
	close(l.in)
	<-l.closed
	return l.count, errors.Join(l.err, l.file.Close())
}

// readAcks reads a log back. An id is acknowledged once, so a second line is a fault of the harness.
func readAcks(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ids := map[string]string{}
	for dec := json.NewDecoder(bufio.NewReader(f)); ; {
		var a ack
		if err := dec.Decode(&a); errors.Is(err, io.EOF) {
			return ids, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if _, ok := ids[a.ID]; ok {
			return nil, fmt.Errorf("%s: %s was acknowledged twice", path, a.ID)
		}
		ids[a.ID] = a.Topic
	}
}
