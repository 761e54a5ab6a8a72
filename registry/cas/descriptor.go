package cas

import "fmt"

// Descriptor says what a blob is without holding it: enough to fetch it and to know that it arrived whole.
type Descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    Digest `json:"digest"`
	Size      int64  `json:"size"` // bytes
}

// check refuses a descriptor that names nothing.
func (d Descriptor) check() error {
	if d.Digest.IsZero() {
		return fmt.Errorf("the descriptor has no digest: %w", ErrBadDigest)
	}
	if d.Size < 0 {
		return fmt.Errorf("the descriptor has %d bytes: %w", d.Size, ErrBadDigest)
	}
	return nil
}
