package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Statements as the product sends them, for as much as the proxy looks at.
const (
	claimSQL   = "\n\tINSERT INTO archive_partition (topic_id, partition)\n\tVALUES ($1, $2)"
	flushSQL   = "\n\tUPDATE archive_partition SET next_offset = $4, updated = $9"
	observeSQL = "UPDATE archive_partition SET archived_through = greatest(archived_through, $4)"
)

// typed is a message with a type.
func typed(typ byte, body []byte) []byte {
	b := append([]byte{typ}, binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))...)
	return append(b, body...)
}

func text(typ byte, parts ...string) []byte {
	var body []byte
	for _, p := range parts {
		body = append(append(body, p...), 0)
	}
	return typed(typ, body)
}

// bind has the parameters in binary: 16 bytes, 4 bytes, then numbers of 8.
func bind(statement string, number int32, numbers ...int64) []byte {
	body := append(append([]byte{0}, statement...), 0)
	params := [][]byte{{0x0a, 0x1b, 0x2c, 0x3d, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, binary.BigEndian.AppendUint32(nil, uint32(number))}
	for _, n := range numbers {
		params = append(params, binary.BigEndian.AppendUint64(nil, uint64(n)))
	}
	body = binary.BigEndian.AppendUint16(body, 0)
	body = binary.BigEndian.AppendUint16(body, uint16(len(params)))
	for _, p := range params {
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(p))), p...)
	}
	return typed('B', body)
}

// database answers each Bind and each query with a tag, and remembers what it got.
type database struct {
	listener net.Listener
	update   string // the tag of an UPDATE
	mu       sync.Mutex
	queries  []string
}

func startDatabase(t *testing.T, update string) *database {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &database{listener: l, update: update}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { d.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return d
}

func (d *database) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for first := true; ; first = false {
		m, err := readMessage(r, first)
		if err != nil {
			return
		}
		tag := ""
		switch m.typ {
		case 'B':
			tag = d.update
		case 'Q':
			sql, _ := cstring(m.body())
			d.mu.Lock()
			d.queries = append(d.queries, sql)
			d.mu.Unlock()
			tag = map[string]string{"begin": "BEGIN", "commit": "COMMIT", "rollback": "ROLLBACK"}[sql]
		}
		if tag != "" {
			conn.Write(text('C', tag))
		}
	}
}

func (d *database) got(sql string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.queries, sql)
}

// client is a connection through the proxy.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func connect(t *testing.T, update string) (*pgproxy, *database, *client) {
	t.Helper()
	d := startDatabase(t, update)
	p, err := newPGProxy(d.listener.Addr().String(), 1, &gate{}, newLedgerWatch())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	conn, err := net.Dial("tcp", p.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: conn, r: bufio.NewReader(conn)}
	c.say(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), 196608)) // the start, which has no type
	c.say(text('P', "claim", claimSQL))
	c.say(text('P', "flush", flushSQL))
	c.say(text('P', "observe", observeSQL))
	return p, d, c
}

func (c *client) say(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// hear returns the next tag, or "" when the connection is cut.
func (c *client) hear() string {
	m, err := readMessage(c.r, false)
	if err != nil {
		return ""
	}
	tag, _ := cstring(m.body())
	return tag
}

func (c *client) ask(b []byte, want string) {
	c.t.Helper()
	c.say(b)
	if got := c.hear(); got != want {
		c.t.Fatalf("answer %q, want %q", got, want)
	}
}

func held(t *testing.T, c *catch) partition {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	p, ok := c.wait(ctx)
	if !ok {
		t.Fatalf("%s: nothing was held", c.at)
	}
	return p
}

func TestPGProxyHoldsCommit(t *testing.T) {
	for _, tc := range []struct {
		at       moment
		forward  bool
		reaches  bool // the database, while it is held
		answered string
	}{{commitSent, false, false, ""}, {commitSent, true, false, "COMMIT"}, {committed, false, true, ""}, {committed, true, true, "COMMIT"}} {
		p, d, c := connect(t, "UPDATE 1")
		c.ask(text('Q', "begin"), "BEGIN")
		c.ask(bind("flush", 3, 10, 20, 7), "UPDATE 1")
		catch := p.gate.arm(tc.at)
		c.say(text('Q', "commit"))
		if part := held(t, catch); part != (partition{"0a1b2c3d", 3}) {
			t.Errorf("%s: held %v", tc.at, part)
		}
		if d.got("commit") != tc.reaches {
			t.Errorf("%s: the database has the commit: %v", tc.at, !tc.reaches)
		}
		catch.release(tc.forward)
		if got := c.hear(); got != tc.answered {
			t.Errorf("%s, forward %v: answer %q, want %q", tc.at, tc.forward, got, tc.answered)
		}
		if n := p.watch.totals().commits; (n == 1) != (tc.reaches || tc.forward) {
			t.Errorf("%s, forward %v: %d commits seen", tc.at, tc.forward, n)
		}
	}
}

func TestPGProxyHoldsTheTransactionBeforeItLocks(t *testing.T) {
	p, _, c := connect(t, "UPDATE 1")
	c.ask(text('Q', "begin"), "BEGIN")
	catch := p.gate.arm(updateSent)
	c.say(bind("flush", 0, 10, 20, 7))
	held(t, catch)
	catch.release(true)
	if got := c.hear(); got != "UPDATE 1" {
		t.Errorf("answer %q", got)
	}
}

func TestPGProxyLeavesOthersAlone(t *testing.T) {
	p, _, c := connect(t, "INSERT 0 1")
	p.gate.arm(commitSent)
	c.ask(text('Q', "begin"), "BEGIN")
	c.ask(bind("claim", 3, 0, 0, 0), "INSERT 0 1")
	c.ask(text('Q', "commit"), "COMMIT") // of a claim: not held
	f := p.watch.totals()
	if f.claims != 1 || f.commits != 0 || len(p.watch.owns(1)) != 1 {
		t.Errorf("%+v", f)
	}
}

func TestPGProxySeesRefusals(t *testing.T) {
	p, _, c := connect(t, "UPDATE 0")
	for range 2 { // the same flush again is no second conflict
		c.ask(text('Q', "begin"), "BEGIN")
		c.ask(bind("flush", 3, 10, 20, 7), "UPDATE 0")
		c.ask(text('Q', "rollback"), "ROLLBACK")
	}
	c.ask(text('Q', "begin"), "BEGIN")
	c.ask(bind("observe", 3, 7, 0, 0), "UPDATE 0")
	c.ask(text('Q', "rollback"), "ROLLBACK")
	if f := p.watch.totals(); f.stale != 1 || f.observed != 1 || f.recognised != 0 || f.commits != 0 {
		t.Errorf("%+v", f)
	}
}

func TestParametersAsText(t *testing.T) {
	for in, want := range map[string]string{"0a1b2c3d-0405-0607-0809-0a0b0c0d0e0f": "0a1b2c3d", "--------": "", "": ""} {
		if got := topicOf([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]int64{"7": 7, "1234": 1234, "12345678": 12345678, "": 0, "\x00\x00\x01\x00": 256, "\xff\xff\xff\xff": -1} {
		if got := number([]byte(in)); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
}

func FuzzWire(f *testing.F) {
	f.Add(bind("flush", 3, 10, 20, 7))
	f.Add(text('P', "flush", flushSQL))
	f.Add(text('Q', "commit"))
	f.Add([]byte{'B', 0, 0, 0, 9, 0, 0, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readMessage(bufio.NewReader(bytes.NewReader(b)), false)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(b, m.raw) {
			t.Fatalf("passed on %q of %q", m.raw, b)
		}
		p := &pgproxy{gate: &gate{}, watch: newLedgerWatch()}
		s := &pgSession{proxy: p, statements: map[string]statement{"flush": flushStatement, "": observeStatement}}
		if !s.asked(m) || !s.answered(m) {
			t.Error("something was held that nobody waits for")
		}
	})
}
