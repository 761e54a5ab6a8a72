package registry

import (
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Arm is one share of a tag's traffic.
type Arm struct {
	Package cas.Digest `json:"package"`
	Weight  int        `json:"weight"` // of 10000
}

// TagState is the value of a tag at one generation. Generations start at 1, only grow and leave no gap.
type TagState struct {
	Tag        Tag        `json:"-"`
	Arms       []Arm      `json:"arms"`
	Generation int64      `json:"generation"`
	Previous   []Arm      `json:"previous,omitempty"`
	Actor      string     `json:"actor"`
	Reason     string     `json:"reason"`
	Evidence   cas.Digest `json:"evidence"` // of an evaluation, or zero
	At         time.Time  `json:"at"`
}

// TagMove moves a tag by compare-and-swap: it applies only while the tag stands at Expect (0: does not exist).
type TagMove struct {
	Tag      Tag
	Expect   int64
	Arms     []Arm
	Actor    string
	Reason   string
	Evidence cas.Digest
	// Op identifies the move: the same Op again returns the state that it made, whatever happened since.
	Op string
	At time.Time
}
