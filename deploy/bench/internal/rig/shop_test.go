package rig

import (
	"reflect"
	"testing"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Whoever reads the topic reads the same events, in every run, and the identifiers are known without reading it.
func TestShopIsTheSameEachTime(t *testing.T) {
	shop := Shop{Topic: "events.shop", Records: 2000, Partitions: 4, Types: 20}
	var records []*kgo.Record
	for _, r := range shop.Events() {
		records = append(records, r)
	}
	ids, types, seen, bytes, i := shop.IDs(), map[string]bool{}, map[uuid.UUID]bool{}, 0, 0
	for id, r := range shop.Events() {
		if !reflect.DeepEqual(r, records[i]) || ids[i] != id || string(r.Headers[1].Value) != id.String() {
			t.Fatalf("record %d: %v and %v, %s and %s", i, r, records[i], id, ids[i])
		}
		seen[id], types[string(r.Headers[3].Value)] = true, true
		bytes += len(r.Value)
		i++
	}
	if mean := bytes / shop.Records; len(seen) != shop.Records || len(types) != shop.Types || mean < 270 || mean > 310 {
		t.Errorf("%d identifiers, %d types, %d bytes on average", len(seen), len(types), mean)
	}
}
