package main

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"sync"
	"time"
)

// pgproxy stands between one subject and the database. It understands as much of the protocol as it takes to hold a
// flush before and after its COMMIT, and to see what the ledger answers.
type pgproxy struct {
	listener net.Listener
	upstream string
	gate     *gate
	watch    *ledgerWatch
	subject  int

	wg    sync.WaitGroup
	mu    sync.Mutex
	conns map[net.Conn]bool
	over  bool
}

// newPGProxy serves until close.
func newPGProxy(upstream string, subject int, g *gate, w *ledgerWatch) (*pgproxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &pgproxy{listener: l, upstream: upstream, gate: g, watch: w, subject: subject, conns: map[net.Conn]bool{}}
	p.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(conn) })
		}
	})
	return p, nil
}

func (p *pgproxy) addr() string { return p.listener.Addr().String() }

func (p *pgproxy) close() {
	p.mu.Lock()
	p.over = true
	for c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.listener.Close()
	p.wg.Wait()
}

// keep notes a connection for close; false when it is too late.
func (p *pgproxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	return !p.over
}

func (p *pgproxy) forget(c net.Conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *pgproxy) serve(client net.Conn) {
	defer p.forget(client)
	server, err := net.DialTimeout("tcp", p.upstream, 5*time.Second)
	if err != nil {
		return
	}
	defer p.forget(server)
	if !p.keep(client) || !p.keep(server) {
		return
	}
	s := &pgSession{proxy: p, life: p.watch.life(p.subject), statements: map[string]statement{}}
	var answers sync.WaitGroup
	answers.Go(func() {
		defer client.Close()
		defer server.Close()
		pump(server, client, false, s.answered)
	})
	pump(client, server, true, s.asked)
	client.Close()
	server.Close()
	answers.Wait()
}

// pump passes messages on for as long as see agrees.
func pump(from, to net.Conn, first bool, see func(message) bool) {
	r := bufio.NewReaderSize(from, 32<<10)
	for untyped := first; ; untyped = false {
		m, err := readMessage(r, untyped)
		if err != nil || !see(m) {
			return
		}
		if _, err := to.Write(m.raw); err != nil {
			return
		}
	}
}

// pgSession is what one connection is at. Both directions use it.
type pgSession struct {
	proxy      *pgproxy
	life       int // of the subject, so that what a dead one left behind is known
	mu         sync.Mutex
	statements map[string]statement
	tx         transaction
}

// transaction is the ledger's work in progress on a connection.
type transaction struct {
	work    statement
	waits   bool // for the answer to the statement that moves the partition
	part    partition
	start   int64
	epoch   int64
	refused bool
}

// asked sees what the subject says, before the database does.
func (s *pgSession) asked(m message) bool {
	s.mu.Lock()
	hold := moment("")
	switch m.typ {
	case 'P':
		name, sql := parseParse(m.body())
		s.statements[name] = statementOf(sql)
	case 'B':
		if s.bind(m.body()) == flushStatement {
			hold = updateSent
		}
	case 'Q':
		switch sql, _ := cstring(m.body()); {
		case strings.HasPrefix(sql, "begin"), strings.HasPrefix(sql, "rollback"):
			s.tx = transaction{}
		case sql == "commit" && s.tx.work == flushStatement && !s.tx.refused:
			s.proxy.watch.sent(s.tx)
			hold = commitSent
		}
	}
	part := s.tx.part
	s.mu.Unlock()
	return hold == "" || s.proxy.gate.pass(hold, part)
}

// bind notes the ledger's statements.
func (s *pgSession) bind(b []byte) statement {
	name, params := parseBind(b)
	st := s.statements[name]
	if st == otherStatement || len(params) < 5 {
		return otherStatement
	}
	s.tx = transaction{work: st, waits: true, part: partition{topic: topicOf(params[0]), number: int32(number(params[1]))}}
	switch st {
	case flushStatement:
		s.tx.start, s.tx.epoch = number(params[2]), number(params[4])
	case observeStatement:
		s.tx.epoch = number(params[2])
	}
	return st
}

// answered sees what the database says, before the subject does.
func (s *pgSession) answered(m message) bool {
	if m.typ != 'C' {
		return true
	}
	tag := bytes.TrimRight(m.body(), "\x00")
	s.mu.Lock()
	tx := s.tx
	if tx.waits && (bytes.HasPrefix(tag, []byte("UPDATE ")) || bytes.HasPrefix(tag, []byte("INSERT "))) {
		s.tx.waits = false
		s.tx.refused = string(tag) == "UPDATE 0"
		tx = s.tx
		s.mu.Unlock()
		if tx.refused {
			s.proxy.watch.refused(s.proxy.subject, s.life, tx)
		}
		return true
	}
	if string(tag) != "COMMIT" {
		s.mu.Unlock()
		return true
	}
	s.tx = transaction{}
	s.mu.Unlock()
	switch {
	case tx.work == claimStatement:
		s.proxy.watch.claimed(s.proxy.subject, s.life, tx.part)
	case tx.work == flushStatement && !tx.refused:
		s.proxy.watch.committed(s.proxy.subject, s.life, tx.part)
		return s.proxy.gate.pass(committed, tx.part)
	}
	return true
}
