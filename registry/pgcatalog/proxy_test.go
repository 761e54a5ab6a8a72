package pgcatalog_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

// A cut says what happens to the next COMMIT.
type cut int32

const (
	whole     cut = iota
	noCommit      // the connection breaks before the server has it
	noAnswer      // the connection breaks after the server has done it
	noAnswers     // twice noAnswer
)

// commitMessage is what pgx sends for COMMIT: a simple query.
var commitMessage = []byte("Q\x00\x00\x00\x0bcommit\x00")

// proxy stands between a catalog and its server and cuts connections at COMMIT.
type proxy struct {
	server string
	next   atomic.Int32 // cut
	hits   atomic.Int32
}

// behindProxy opens a catalog on db whose connections go through a proxy.
func behindProxy(t *testing.T, db *pgtest.DB) (*pgcatalog.Catalog, *proxy) {
	t.Helper()
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{server: u.Host}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(t, conn) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() }) // runs after the catalog is closed
	u.Host = l.Addr().String()
	return pgtest.Open(t, u.String()), p
}

func (p *proxy) serve(t *testing.T, client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		t.Errorf("proxy: %v", err)
		return
	}
	defer server.Close()
	var deaf atomic.Bool
	answered := make(chan struct{}, 1)
	var wg sync.WaitGroup
	wg.Go(func() { // answers
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			if deaf.Load() {
				answered <- struct{}{}
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	p.requests(client, server, &deaf, answered)
	client.Close()
	server.Close()
	wg.Wait()
}

// requests passes on what the client says, until it is time to cut. pgx writes COMMIT in one piece of its own.
func (p *proxy) requests(client, server net.Conn, deaf *atomic.Bool, answered <-chan struct{}) {
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Equal(buf[:n], commitMessage) {
			switch c := cut(p.next.Load()); c {
			case noCommit:
				p.next.Store(int32(whole))
				p.hits.Add(1)
				return
			case noAnswer, noAnswers:
				p.next.Store(int32(map[cut]cut{noAnswer: whole, noAnswers: noAnswer}[c]))
				p.hits.Add(1)
				deaf.Store(true)
				server.Write(buf[:n])
				<-answered
				return
			}
		}
		if _, err := server.Write(buf[:n]); err != nil && !errors.Is(err, io.EOF) {
			return
		}
	}
}
