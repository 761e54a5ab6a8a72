package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
)

// maxMessage bounds one message of PostgreSQL's protocol, bytes.
const maxMessage = 64 << 20

// message is one message of the wire. The first one of a client has no type.
type message struct {
	typ byte
	raw []byte // all of it
}

func (m message) body() []byte {
	if m.typ == 0 {
		return m.raw[4:]
	}
	return m.raw[5:]
}

// readMessage reads the next message; the first of a client is untyped.
func readMessage(r *bufio.Reader, untyped bool) (message, error) {
	head := make([]byte, 5)
	if untyped {
		head = head[:4]
	}
	if _, err := io.ReadFull(r, head); err != nil {
		return message{}, err
	}
	n := binary.BigEndian.Uint32(head[len(head)-4:])
	if n < 4 || n > maxMessage {
		return message{}, errors.New("a message of impossible length")
	}
	m := message{raw: make([]byte, len(head)+int(n)-4)}
	copy(m.raw, head)
	if !untyped {
		m.typ = head[0]
	}
	_, err := io.ReadFull(r, m.raw[len(head):])
	return m, err
}

// cstring cuts the text before the first zero byte off b.
func cstring(b []byte) (text string, rest []byte) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return string(b), nil
	}
	return string(b[:i]), b[i+1:]
}

// statement is what the harness recognises of the ledger's SQL.
type statement int

const (
	otherStatement   statement = iota
	claimStatement             // ($1 topic id, $2 partition, ...)
	flushStatement             // ($1 topic id, $2 partition, $3 start, $4 end, $5 epoch, ...)
	observeStatement           // ($1 topic id, $2 partition, $3 epoch, ...)
)

// statementOf knows the ledger's statements by their first words.
func statementOf(sql string) statement {
	words := strings.Join(strings.Fields(sql), " ")
	switch {
	case strings.HasPrefix(words, "INSERT INTO archive_partition "):
		return claimStatement
	case strings.HasPrefix(words, "UPDATE archive_partition SET next_offset = $4"):
		return flushStatement
	case strings.HasPrefix(words, "UPDATE archive_partition SET archived_through"):
		return observeStatement
	}
	return otherStatement
}

// parseParse returns the name and the SQL of a Parse message.
func parseParse(b []byte) (name, sql string) {
	name, b = cstring(b)
	sql, _ = cstring(b)
	return name, sql
}

// parseBind returns the prepared statement's name and the parameters of a Bind message.
func parseBind(b []byte) (name string, params [][]byte) {
	_, b = cstring(b) // portal
	name, b = cstring(b)
	formats, b := short(b)
	if len(b) < 2*formats {
		return name, nil
	}
	count, b := short(b[2*formats:])
	for range count {
		if len(b) < 4 {
			return name, nil
		}
		n := int32(binary.BigEndian.Uint32(b))
		b = b[4:]
		if n < 0 {
			params = append(params, nil)
			continue
		}
		if len(b) < int(n) {
			return name, nil
		}
		params = append(params, b[:n])
		b = b[n:]
	}
	return name, params
}

func short(b []byte) (int, []byte) {
	if len(b) < 2 {
		return 0, nil
	}
	return int(binary.BigEndian.Uint16(b)), b[2:]
}

// number reads an integer parameter, binary or text.
func number(b []byte) int64 {
	switch len(b) {
	case 8:
		if b[0] == 0 || b[0] == 0xff {
			return int64(binary.BigEndian.Uint64(b))
		}
	case 4:
		if b[0] == 0 || b[0] == 0xff {
			return int64(int32(binary.BigEndian.Uint32(b)))
		}
	}
	n, _ := strconv.ParseInt(string(b), 10, 64) // text, which starts with a digit
	return n
}

// topicOf reads a topic id parameter, binary or text, as the first eight digits that names of files have.
func topicOf(b []byte) string {
	if len(b) == 16 {
		return hex.EncodeToString(b[:4])
	}
	digits := strings.ReplaceAll(string(b), "-", "")
	return digits[:min(8, len(digits))]
}
