package mirror

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// ErrMalformed reports bytes that are no manifest of this package.
var ErrMalformed = errors.New("malformed manifest")

// version is of the form of manifests.
const version = 1

func malformed(key string, err error) error { return fmt.Errorf("%s: %w: %w", key, ErrMalformed, err) }

func canonical(what string, m any) ([]byte, error) {
	b, err := json.Marshal(m)
	if err == nil {
		b, err = manifest.Canonical(b)
	}
	if err != nil {
		return nil, fmt.Errorf("encode manifest of %s: %w", what, err)
	}
	return b, nil
}

// strict reads JSON without members that m does not have.
func strict(key string, b []byte, m any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return malformed(key, err)
	}
	return nil
}

// identical refuses what says the same in other bytes: digests are of bytes.
func identical(key string, b, again []byte, err error) error {
	if err == nil && !bytes.Equal(b, again) {
		err = errors.New("it is not in canonical form")
	}
	if err != nil {
		return malformed(key, err)
	}
	return nil
}

func topicID(text string) (uuid.UUID, error) {
	var id uuid.UUID
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("topic id %q: want 32 hexadecimal digits", text)
	}
	copy(id[:], b)
	return id, nil
}

// link is null at the beginning of a chain.
func link(d cas.Digest) *cas.Digest {
	if d.IsZero() {
		return nil
	}
	return &d
}

func unlink(d *cas.Digest) cas.Digest {
	if d == nil {
		return cas.Digest{}
	}
	return *d
}

// micros is a time as every store keeps it.
func micros(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}
