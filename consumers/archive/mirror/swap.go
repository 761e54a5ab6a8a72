package mirror

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// SwapKey is where swap n of a topic is mirrored.
func SwapKey(topicID uuid.UUID, n int64) string {
	return fmt.Sprintf("%s%x/swaps/%020d.json", Prefix, topicID[:], n)
}

// swap is a ledger.Swap as JSON.
type swap struct {
	Version    int              `json:"version"`
	TopicID    string           `json:"topic_id"`
	Topic      string           `json:"topic"`
	N          int64            `json:"n"`
	Kind       string           `json:"kind"`
	Seq        int64            `json:"seq"`
	Remove     []ledger.FileRef `json:"remove"`
	Add        []ledger.File    `json:"add"`
	Duplicates int64            `json:"duplicates"`
	Previous   *cas.Digest      `json:"previous"`
	Committed  time.Time        `json:"committed"`
}

// EncodeSwap returns the manifest of s: the same bytes for whoever writes it, from whichever ledger it was read.
func EncodeSwap(s ledger.Swap) ([]byte, error) {
	return canonical("swap", swap{
		Version: version, TopicID: fmt.Sprintf("%x", s.TopicID[:]), Topic: s.Topic, N: s.N, Kind: s.Kind, Seq: s.Seq,
		Remove: s.Remove, Add: inOrder(s.Add), Duplicates: s.Duplicates, Previous: link(s.Previous), Committed: micros(s.Committed),
	})
}

// DecodeSwap reads the manifest that stands under key, which must be as EncodeSwap writes it, byte for byte. Errors are
// ErrMalformed.
func DecodeSwap(key string, b []byte) (ledger.Swap, error) {
	var m swap
	if err := strict(key, b, &m); err != nil {
		return ledger.Swap{}, err
	}
	id, err := topicID(m.TopicID)
	if err != nil {
		return ledger.Swap{}, malformed(key, err)
	}
	s := ledger.Swap{
		Seq: m.Seq, TopicID: id, Topic: m.Topic, N: m.N, Kind: m.Kind, Remove: m.Remove, Add: m.Add, Duplicates: m.Duplicates,
		Manifest: key, Previous: unlink(m.Previous), Committed: m.Committed,
	}
	if len(s.Add) == 0 {
		s.Add = nil
	}
	if want := SwapKey(id, m.N); key != want {
		return ledger.Swap{}, malformed(key, fmt.Errorf("it is of %s", want))
	}
	if err := s.Validate(); err != nil {
		return ledger.Swap{}, malformed(key, err)
	}
	again, err := EncodeSwap(s)
	return s, identical(key, b, again, err)
}
