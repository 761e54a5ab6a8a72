package e2e_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// TestOracleFindsEveryFault is why the oracle may be believed where it finds nothing.
func TestOracleFindsEveryFault(t *testing.T) {
	topic, other := uuid.New(), uuid.New()
	tests := []struct {
		name  string
		spoil func(rows []told) []told
		ack   map[int64]int // more acknowledgements: offset to event
		end   int64
		want  string
	}{
		{"whole", func(r []told) []told { return r }, nil, 6, ""},
		{"sent twice, acknowledged once", func(r []told) []told { r[4].event, r[4].data = 3, dataOf(3); return r }, nil, 6, ""},
		{"lost inside", func(r []told) []told { return append(r[:2], r[3:]...) }, nil, 6, "events.flights/0/2 was acknowledged and is not in the archive: e2"},
		{"lost at the end", func(r []told) []told { return r[:5] }, nil, 5, "events.flights/0/5 was acknowledged"},
		{"lost, never acknowledged", func(r []told) []told { return append(r[:4], r[5:]...) }, nil, 6, "ends at 6, but has no row for 4"},
		{"doubled", func(r []told) []told { return append(r, r[1]) }, nil, 6, "events.flights/0/1 is in the archive twice"},
		{"changed", func(r []told) []told { r[3].data = `{"n":33}`; return r }, nil, 6, "events.flights/0/3 is another event"},
		{"changed, never acknowledged", func(r []told) []told { r[4].data = `{"n":44}`; return r }, nil, 6, "events.flights/0/4 holds an event that nobody sent: e4"},
		{"swapped", func(r []told) []told { r[0].event, r[1].event = 1, 0; return r }, nil, 6, "events.flights/0/0 is another event than the one that was acknowledged: e1 instead of e0"},
		{"of nobody", func(r []told) []told { r[4].event = 9; return r }, nil, 6, "nobody sent: e9"},
		{"topic made again", func(r []told) []told { r[5].topic = other; return r }, nil, 6, "the topic was lost and made again"},
		{"more than the ledger says", func(r []told) []told { return r }, nil, 5, "ends at 5, but has 6 rows"},
		{"one position, two events", func(r []told) []told { return r }, map[int64]int{2: 0}, 6, "the log forgot one"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			o := newOracle("flights")
			var rows []told
			for n := range 6 {
				o.send(event(n, dataOf(n)))
				if n != 4 { // its answer was lost
					o.acknowledge(event(n, dataOf(n)), fmt.Sprintf("events.flights/0/%d", n))
				}
				rows = append(rows, told{topic, int64(n), n, dataOf(n)})
			}
			rows = tc.spoil(rows)
			for offset, n := range tc.ack {
				o.acknowledge(event(n, dataOf(n)), fmt.Sprintf("events.flights/0/%d", offset))
			}
			for _, file := range split(rows) {
				if err := o.file(ledger.LedgerFile{Partition: ledger.Partition{TopicID: file[0].topic, Topic: "events.flights"}}, written(t, file)); err != nil {
					t.Fatal(err)
				}
			}
			found := strings.Join(o.faults(map[lane]int64{{"events.flights", 0}: tc.end}), "\n")
			if (tc.want == "") != (found == "") || !strings.Contains(found, tc.want) {
				t.Errorf("found %q, want %q", found, tc.want)
			}
		})
	}
}

// told is a row that the oracle is told of.
type told struct {
	topic  uuid.UUID
	offset int64
	event  int
	data   string
}

func dataOf(n int) string { return fmt.Sprintf(`{"n":%d}`, n) }

func event(n int, data string) happened {
	return happenedAs(fmt.Sprintf("e%d", n), "/test", "flight.departed", "", []byte(data))
}

// split puts rows into files: of one topic each, so that the archive's format has no word in the faults.
func split(rows []told) [][]told {
	var files [][]told
	for i, r := range rows {
		if i == 0 || i == len(rows)/2 || rows[i-1].topic != r.topic || rows[i-1].offset >= r.offset {
			files = append(files, nil)
		}
		files[len(files)-1] = append(files[len(files)-1], r)
	}
	return files
}

// written returns rows as the archive writes them.
func written(t *testing.T, rows []told) []byte {
	t.Helper()
	w := segment.NewWriter()
	for _, r := range rows {
		rec := events.Record{Offset: r.offset, Value: []byte(r.data), AppendTime: time.Unix(r.offset, 0), Headers: []events.RecordHeader{
			{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: fmt.Appendf(nil, "e%d", r.event)},
			{Key: "ce_source", Value: []byte("/test")}, {Key: "ce_type", Value: []byte("flight.departed")},
			{Key: "content-type", Value: []byte("application/json")},
		}}
		if err := w.Append(0, &rec); err != nil {
			t.Fatal(err)
		}
	}
	seg, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return seg.Body
}

// TestOracleRefusesBrokenFiles: a file that cannot be read is an error, never an empty one.
func TestOracleRefusesBrokenFiles(t *testing.T) {
	whole := written(t, []told{{uuid.New(), 0, 0, dataOf(0)}})
	for name, body := range map[string][]byte{"empty": nil, "cut": whole[:len(whole)-9], "other": bytes.Repeat([]byte("x"), 100)} {
		if err := newOracle("flights").file(ledger.LedgerFile{}, body); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
