package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
)

func TestChoose(t *testing.T) {
	for _, tc := range []struct{ only, modes, want string }{
		{"", "clean,kill", "signalbox python benthos iceberg"},
		{"iceberg,signalbox", "kill", "iceberg signalbox"},
		{"signalbox,flume", "clean", ""},
		{"signalbox", "clean,maim", ""},
	} {
		b := &bench{options: options{only: tc.only, modes: tc.modes, types: 6}}
		chosen, err := b.choose()
		var names []string
		for _, a := range chosen {
			names = append(names, a.about().name)
		}
		if got := strings.Join(names, " "); got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("-only %q -modes %q: %q, %v", tc.only, tc.modes, got, err)
		}
	}
}

// Every object that an archiver is killed at must be one that it writes, and none that says nothing of its rows.
func TestAims(t *testing.T) {
	b := &bench{options: options{modes: "kill", types: 2}}
	chosen, err := b.choose()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range chosen {
		key := map[string]string{
			"signalbox": "archive/v1/topic=events.shop/p00000-00000000000000000000.parquet", "iceberg": "warehouse/shop/events/data/00001-1.parquet",
		}[a.about().name]
		if key == "" {
			key = "events/1.parquet"
		}
		if about := a.about(); !about.data(key) || about.data("manifests/1.json") || about.data("warehouse/shop/events/metadata/00001-1.metadata.json") {
			t.Errorf("%s does not know its own objects", about.name)
		}
		for _, at := range a.about().kills {
			if at.nth < 1 || !at.key(key) && !at.key("warehouse/shop/events/metadata/00001-1.metadata.json") {
				t.Errorf("%s is never killed at %s", a.about().name, at.what)
			}
		}
	}
}

type row struct {
	Offset int64  `parquet:"offset"`
	ID     string `parquet:"ce_id,optional,zstd"`
}

// parquetOf makes a file of two row groups.
func parquetOf(t *testing.T, ids ...string) *bytes.Reader {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b)
	for i, id := range ids {
		if _, err := w.Write([]row{{int64(i), id}}); err != nil {
			t.Fatal(err)
		}
		if i == len(ids)/2 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}

func some(n int) (ids []uuid.UUID, text []string) {
	for i := range n {
		id := uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i))
		ids, text = append(ids, id), append(text, id.String())
	}
	return ids, text
}

func TestIDsOf(t *testing.T) {
	want, text := some(5000)
	file := parquetOf(t, text...)
	got, err := idsOf(file, file.Size())
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d of %d, %v", len(got), len(want), err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("row %d is %s, want %s", i, got[i], want[i])
		}
	}
	for name, file := range map[string]*bytes.Reader{"no identifier": parquetOf(t, text[0], "42"), "no file": bytes.NewReader([]byte("PAR1"))} {
		if ids, err := idsOf(file, file.Size()); err == nil {
			t.Errorf("%s: %v", name, ids)
		}
	}
}

func TestTally(t *testing.T) {
	ids, _ := some(6)
	times := map[uuid.UUID]int{}
	for _, id := range ids[:5] { // the sixth is of somebody else
		times[id] = 0
	}
	var got tally
	got.add(ids[:3], times)
	got.add(ids[1:3], times)
	got.add([]uuid.UUID{ids[2], ids[5]}, times)
	if got != (tally{rows: 7, doubled: 3, strange: 1}) || times[ids[2]] != 3 || times[ids[4]] != 0 {
		t.Errorf("%s, %v", got, times)
	}
}

func TestTableState(t *testing.T) {
	var s tableState
	if s.rows() != 0 {
		t.Error("a table without snapshots has rows")
	}
	decode(t, `{"current-snapshot-id":7,"snapshots":[{"snapshot-id":5,"summary":{"total-records":"9"}},{"snapshot-id":7,"summary":{"total-records":"21"}}]}`, &s)
	if s.rows() != 21 {
		t.Errorf("%d rows", s.rows())
	}
	decode(t, `{"current-snapshot-id":-1,"snapshots":[]}`, &s)
	if s.rows() != 0 {
		t.Errorf("%d rows before the first commit", s.rows())
	}
}

func TestPrefixed(t *testing.T) {
	if got := prefixed("a = 1\nb = 2\n", "c."); got != "c.a = 1\nc.b = 2" {
		t.Errorf("%q", got)
	}
}

func runs(name string, n int, few, cpu, peak float64, recovery time.Duration, doubled int64) *taken {
	a := &taken{label: about{name: name, title: name}, records: n, series: figures.Series{}}
	a.add(cost{cpu: time.Duration(few * float64(time.Second))}, false)
	a.add(cost{cpu: time.Duration(cpu * float64(time.Second)), peak: int64(peak), wall: time.Second}, true)
	a.victims = []victim{{archive: archive{tally: tally{doubled: doubled}}, deaths: []death{{partition: time.Second, recovery: time.Second}, {recovery: recovery}}}}
	return a
}

// The goal compares with whichever peer is best at the figure.
func TestGoals(t *testing.T) {
	ours := runs("signalbox", 1_000_000, 1, 4.6, 499e6, 10*time.Second, 0)
	dear, cheap := runs("dear", 1_000_000, 1, 28, 300e6, 45*time.Second, 50_000), runs("cheap", 1_000_000, 7, 16, 900e6, 44*time.Second, 0)
	rows := goals([]*taken{ours, dear, cheap})
	if len(rows) != 5 {
		t.Fatalf("%d rows: %v", len(rows), rows)
	}
	for i, want := range []string{"| 4.0 s | 10.0 s: cheap | 0.40 | <= 0.35: missed |", "300 MB: dear | 1.66 | < 500 MB: met |", "44.0 s: cheap | 0.23 | <= 10.0 s: met |", "| 1.0 s | 1.0 s: dear | 1.00 |", "dear 0 and 50000, cheap 0 and 0 |  | 0 and 0: met |"} {
		if !strings.Contains(rows[i].String(), want) {
			t.Errorf("%s lacks %s", rows[i], want)
		}
	}
	if rows := goals([]*taken{cheap}); rows != nil {
		t.Errorf("a goal without its subject: %v", rows)
	}
	if text := kills([]*taken{dear}); strings.Count(text, "\n") != 2 || !strings.Contains(text, "| 1.0; 45.0 |") {
		t.Error(text)
	}
	if text := costs([]*taken{cheap}); !strings.Contains(text, "| 16.0 | 0.0 | 10.0 | 900 | 1000000 |") {
		t.Error(text)
	}
}
