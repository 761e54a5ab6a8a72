//go:build cgo

package duckengine_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// history draws a hostile archive: few entities, a coarse clock so that times tie, reports that come late, early, twice
// or without times of their own.
func history(seed uint64) []record {
	r := rand.New(rand.NewPCG(seed, 1))
	var out []record
	offsets := [3]int64{}
	for i := range 600 {
		typ := []string{"order.placed", "price.set", "order.paid"}[r.IntN(3)]
		happened := at(r.IntN(300))
		rec := record{
			ID: fmt.Sprint("e", i), Source: "/test", Type: typ, Time: happened,
			Recorded: happened.Add(time.Duration([]int{0, 0, 1, 5, 60, 200, -20}[r.IntN(7)]) * time.Second),
			Data:     fmt.Sprintf(`{"who":"u%d","value":%d}`, r.IntN(4), i),
		}
		if r.IntN(10) == 0 {
			rec.Recorded = time.Time{}
		}
		if r.IntN(20) == 0 {
			rec.Time = time.Time{}
		}
		for range 1 + r.IntN(8)/7 { // some are delivered twice
			p := r.IntN(3)
			rec.Partition, rec.Offset = int32(p), offsets[p]
			rec.Append = happened.Add(time.Duration(r.IntN(40)) * time.Second)
			offsets[p]++
			out = append(out, rec)
		}
	}
	return out
}

// fact is a record as the definition of a dataset sees it.
type fact struct {
	record
	happened, known time.Time
	who             string
	value           int64
}

// facts reads the records of a type, each event once, from its first availability on.
func facts(t *testing.T, records []record, typ, available string) []fact {
	byID := map[string]fact{}
	for _, r := range records {
		if r.Type != typ {
			continue
		}
		var data struct {
			Who   string
			Value int64
		}
		check(t, json.Unmarshal([]byte(r.Data), &data))
		f := fact{record: r, happened: r.Time, known: r.Append, who: data.Who, value: data.Value}
		if f.happened.IsZero() {
			f.happened = r.Append
		}
		if available == spec.AvailableRecorded && !r.Recorded.IsZero() {
			f.known = r.Recorded
		}
		if f.known.Before(f.happened) {
			f.known = f.happened
		}
		if have, ok := byID[r.ID]; !ok || order(f, have, func(f fact) time.Time { return f.known }) < 0 {
			byID[r.ID] = f
		}
	}
	var out []fact
	for _, f := range byID {
		out = append(out, f)
	}
	return out
}

// order compares by the given times, then by position.
func order(a, b fact, by ...func(fact) time.Time) int {
	for _, f := range by {
		if c := f(a).Compare(f(b)); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

func happened(f fact) time.Time { return f.happened }
func known(f fact) time.Time    { return f.known }

// newest is the definition of a feature, word for word: the newest of what was visible at T.
func newest(all []fact, s fact, maxAge time.Duration, strict bool) *fact {
	var best *fact
	for i, f := range all {
		visible := f.who == s.who && !f.known.After(s.happened) && (!strict || f.happened.Before(s.happened))
		if visible && (best == nil || order(f, *best, happened, known) > 0) {
			best = &all[i]
		}
	}
	if best != nil && maxAge > 0 && s.happened.Sub(best.happened) > maxAge {
		return nil
	}
	return best
}

// first is the definition of a label: the oldest at or after T of what was visible by T + maturity.
func first(all []fact, s fact, maturity time.Duration) *fact {
	var best *fact
	for i, f := range all {
		intime := f.who == s.who && !f.happened.Before(s.happened) && !f.known.After(s.happened.Add(maturity))
		if intime && (best == nil || order(f, *best, happened, known) < 0) {
			best = &all[i]
		}
	}
	return best
}

func TestDatasetIsWhatTheDefinitionSays(t *testing.T) {
	for seed := range uint64(12) {
		available := []string{spec.AvailableRecorded, spec.AvailableAppend}[seed%2]
		t.Run(fmt.Sprint(available, seed), func(t *testing.T) {
			t.Parallel()
			records := history(seed)
			files := scatter(t, records, seed)
			d := shop(available)
			w := compile.Window{Start: at(20), End: at(250)}
			got, res := build(t, d, compile.Inputs{"orders": files, "prices": files, "paid": files}, w)
			want := definition(t, records, d, w)
			if len(want) < 20 {
				t.Fatalf("only %d rows: the test proves nothing", len(want))
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%d rows, want %d\n%s", len(got), len(want), firstDifference(got, want))
			}
			if res.Checks.Rows != int64(len(want)) {
				t.Errorf("rows = %d, want %d", res.Checks.Rows, len(want))
			}
			for feature, lead := range res.Checks.Lead {
				if lead > 0 {
					t.Errorf("feature %s leaks %d µs", feature, lead)
				}
			}
		})
	}
}

// shop has a feature of another type, one of the spine's own type, one of the label's type, and one without age limit.
func shop(available string) spec.Dataset {
	fields := map[string]string{"who": "string", "value": "integer"}
	return spec.Dataset{
		Window:    spec.Window{Start: at(0), Every: days(1)},
		Available: available,
		Sources: map[string]spec.Source{
			"orders": {Stream: "shop", Type: "order.placed", Fields: fields},
			"prices": {Stream: "shop", Type: "price.set", Fields: fields},
			"paid":   {Stream: "shop", Type: "order.paid", Fields: fields},
		},
		Spine: spec.Spine{From: "orders", Key: []string{"user"}, Select: map[string]string{"user": "who", "amount": "value"}},
		Features: []spec.Join{
			{Name: "price", From: "prices", Match: map[string]string{"who": "user"}, MaxAge: spec.Duration(90 * time.Second),
				Select: map[string]string{"price": "value", "price_age": "date_diff('second', event_time, spine_time)"}},
			{Name: "ever", From: "prices", Match: map[string]string{"who": "user"}, Where: "value % 2 = 0", Select: map[string]string{"even_price": "value"}},
			{Name: "before", From: "orders", Match: map[string]string{"who": "user"}, Select: map[string]string{"last_order": "value"}},
			{Name: "paid", From: "paid", Match: map[string]string{"who": "user"}, Select: map[string]string{"last_paid": "value"}},
		},
		Label: &spec.Join{From: "paid", Match: map[string]string{"who": "user"}, Select: map[string]string{"pays": "value"},
			Maturity: spec.Duration(45 * time.Second)},
	}
}

// definition builds shop by brute force.
func definition(t *testing.T, records []record, d spec.Dataset, w compile.Window) []string {
	orders := facts(t, records, "order.placed", d.Available)
	prices := facts(t, records, "price.set", d.Available)
	paid := facts(t, records, "order.paid", d.Available)
	var even []fact
	for _, p := range prices {
		if p.value%2 == 0 {
			even = append(even, p)
		}
	}
	slices.SortFunc(orders, func(a, b fact) int {
		return cmp.Or(a.happened.Compare(b.happened), cmp.Compare(a.who, b.who), cmp.Compare(a.ID, b.ID))
	})
	var out []string
	for _, s := range orders {
		label := first(paid, s, d.Label.Maturity.D())
		if s.happened.Before(w.Start) || !s.happened.Before(w.End) || label == nil || !s.known.Before(compile.Horizon(d, w)) {
			continue
		}
		var price, age any
		if f := newest(prices, s, 90*time.Second, false); f != nil {
			price, age = f.value, int64(s.happened.Sub(f.happened)/time.Second)
		}
		out = append(out, line(s.happened, s.ID, s.value, s.who, price, age, value(newest(even, s, 0, false)),
			value(newest(orders, s, 0, true)), value(newest(paid, s, 0, true)), label.value))
	}
	return out
}

func value(f *fact) any {
	if f == nil {
		return nil
	}
	return f.value
}

// scatter deals the records over three files.
func scatter(t *testing.T, records []record, seed uint64) []string {
	r := rand.New(rand.NewPCG(seed, 2))
	var parts [3][]record
	for _, rec := range records {
		i := r.IntN(3)
		parts[i] = append(parts[i], rec)
	}
	var files []string
	for _, p := range parts {
		files = append(files, archive(t, p...))
	}
	return files
}

func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		g, w := "(none)", "(none)"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			return fmt.Sprintf("row %d\n got %s\nwant %s", i, g, w)
		}
	}
	return ""
}
