package ledger

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

var (
	// ErrSwapped reports files that somebody else replaced or removed meanwhile: look again and plan anew.
	ErrSwapped = errors.New("archive files swapped by another")
	// ErrPurged reports a moment whose files are not all there any more.
	ErrPurged = errors.New("archive files of that moment were removed")
)

// Kinds of a swap.
const (
	// SwapCompact puts files in the place of others that hold the same events.
	SwapCompact = "compact"
	// SwapPurge says that the objects of replaced files are removed; it adds none.
	SwapPurge = "purge"
)

// Swap is a step of a topic that replaces files. Offsets never move by it.
type Swap struct {
	Seq     int64 // place in the total order of flushes and swaps
	TopicID uuid.UUID
	Topic   string
	N       int64 // place among the topic's swaps, from 1 and without gaps
	Kind    string
	Remove  []FileRef // by key: live until a compact, replaced until a purge
	Add     []File    // by key
	// Duplicates counts the rows of Remove that are not in Add, because an event with their source and id is.
	Duplicates int64
	Manifest   string // bucket key of the swap's manifest
	// Previous is the digest of the manifest of the topic's swap before, zero for the first.
	Previous  cas.Digest
	Committed time.Time
}

// FileRef names a file as it was when it was written.
type FileRef struct {
	Key    string     `json:"key"`
	Digest cas.Digest `json:"sha256"`
	Rows   int64      `json:"rows"`
}

// Of returns the partition of a file's rows, Several for more than one.
func (f File) Of() int32 {
	if len(f.Spans) == 0 {
		return Several
	}
	for _, s := range f.Spans {
		if s.Partition != f.Spans[0].Partition {
			return Several
		}
	}
	return f.Spans[0].Partition
}

// Validate lists everything that makes s no swap. Rows are conserved: what was removed is added or a duplicate.
func (s Swap) Validate() error {
	var errs []error
	if s.N < 1 {
		errs = append(errs, fmt.Errorf("swap %d: want the first to be 1", s.N))
	}
	if len(s.Remove) == 0 {
		errs = append(errs, errors.New("nothing to remove"))
	}
	var rows int64
	for i, r := range s.Remove {
		rows += r.Rows
		if i > 0 && s.Remove[i-1].Key >= r.Key {
			errs = append(errs, fmt.Errorf("%s is not removed in order of keys, or twice", r.Key))
		}
	}
	for i, f := range s.Add {
		if i > 0 && s.Add[i-1].Key >= f.Key {
			errs = append(errs, fmt.Errorf("%s is not added in order of keys, or twice", f.Key))
		}
		errs = append(errs, f.validate())
		rows -= f.Rows
		if len(f.Spans) == 0 {
			errs = append(errs, fmt.Errorf("file %s: say which offsets it holds", f.Key))
		}
	}
	switch s.Kind {
	case SwapCompact:
		if rows != s.Duplicates || s.Duplicates < 0 {
			errs = append(errs, fmt.Errorf("%d rows fewer than before, of which %d are duplicates", rows, s.Duplicates))
		}
	case SwapPurge:
		if len(s.Add) > 0 || s.Duplicates != 0 {
			errs = append(errs, errors.New("a purge adds nothing"))
		}
	default:
		errs = append(errs, fmt.Errorf("kind %q: want %s or %s", s.Kind, SwapCompact, SwapPurge))
	}
	return errors.Join(errs...)
}
