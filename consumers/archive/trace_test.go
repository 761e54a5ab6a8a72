package archive

import (
	"fmt"
	"testing"

	"github.com/signalbox-ml/signalbox/events"
)

// A flush of any size links to few of its events, and to none that do not say where they were made.
func TestLinksAreBounded(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 17, 1000} {
		recs := make([]events.Record, n)
		for i := range recs {
			recs[i].Headers = []events.RecordHeader{{Key: "ce_id", Value: []byte("x")},
				{Key: "ce_traceparent", Value: fmt.Appendf(nil, "00-%032x-%016x-01", i+1, i+1)}}
		}
		got := links(taken(recs...))
		if len(got) > maxLinks || n > 0 && (len(got) < min(n, maxLinks/2) || got[0].SpanContext.SpanID().String() != "0000000000000001") {
			t.Errorf("%d records: %d links", n, len(got))
		}
	}
	if got := links(taken(make([]events.Record, 3)...)); len(got) != 0 {
		t.Errorf("records without context: %v", got)
	}
}
