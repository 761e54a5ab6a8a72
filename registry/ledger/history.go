package ledger

import "errors"

var (
	// ErrNotEmpty reports a ledger that already has a history, where only an empty one can take another.
	ErrNotEmpty = errors.New("archive ledger is not empty")
	// ErrTorn reports a history that contradicts itself or has a hole.
	ErrTorn = errors.New("archive history torn")
)

// FileState is a file of any time with what became of it.
type FileState struct {
	LedgerFile
	Removed int64 // the swap that replaced it, 0 while it is live
	Purged  int64 // the swap that says that its object is removed, 0 while it is there
}

// Step is one entry of a history: exactly one member is set.
type Step struct {
	Flush *Flush
	Swap  *Swap
	// Claim says that the epochs up to Epoch were given out; Next means nothing.
	Claim *Claim
}
