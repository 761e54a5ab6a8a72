package registry

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// ErrBadCursor reports a text that is no cursor of a list of runs.
var ErrBadCursor = errors.New("not a cursor: want what the answer before this one had as next, unchanged")

// RunCursor is a place in a list of runs, newest first: behind the run that was created then and has this id. It stays
// where it is while runs are added. The zero cursor is the list's beginning.
type RunCursor struct {
	Created time.Time
	ID      RunID
}

// cursorSize is microseconds since 1970 and a UUID, in bytes.
const cursorSize = 8 + 16

// Cursor is the place behind r.
func (r Run) Cursor() RunCursor { return RunCursor{Created: r.Created, ID: r.ID} }

// IsZero reports whether c is the list's beginning.
func (c RunCursor) IsZero() bool { return c == RunCursor{} }

// String is the cursor as a text for URLs, "" for the beginning.
func (c RunCursor) String() string {
	if c.IsZero() {
		return ""
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(c.Created.UnixMicro())) //nolint:gosec // taken back as it is put here
	return base64.RawURLEncoding.EncodeToString(append(b, c.ID[:]...))
}

// ParseRunCursor reads what String wrote: ErrBadCursor for anything else.
func ParseRunCursor(s string) (RunCursor, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != cursorSize {
		return RunCursor{}, ErrBadCursor
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC() //nolint:gosec // see String
	if y := at.Year(); y < 1970 || y > 9999 {                     // what no clock and no database has
		return RunCursor{}, ErrBadCursor
	}
	c := RunCursor{Created: at}
	copy(c.ID[:], b[8:])
	return c, nil
}
