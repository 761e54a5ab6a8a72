//go:build !mutant_m17

package kafka

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ownHeaders are those that a record came with: a letter has them first.
func ownHeaders(r *kgo.Record) []kgo.RecordHeader { return slices.Clone(r.Headers) }
