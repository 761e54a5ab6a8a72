package main

import (
	"context"
	"maps"

	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
)

// keepers pin what any of several pins: files that datasets were made from, and those that the archive's views show.
type keepers []compact.References

// Referenced implements compact.References.
func (k keepers) Referenced(ctx context.Context, keys []string) (map[string]bool, error) {
	out := map[string]bool{}
	for _, some := range k {
		found, err := some.Referenced(ctx, keys)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, found)
	}
	return out, nil
}
