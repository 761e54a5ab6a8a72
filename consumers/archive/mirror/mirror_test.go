package mirror_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive/mirror"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

var topic = uuid.UUID{0xab, 15: 1}

func at(n int64) time.Time {
	return time.Date(2026, 11, 1, 9, 0, 0, 123456000, time.UTC).Add(time.Duration(n) * time.Second)
}

func file(key string, start, end int64) ledger.File {
	return ledger.File{
		Key: key, Digest: cas.Sum([]byte(key)), Bytes: 100, Rows: end - start, Type: "größer", Hour: at(0).Truncate(time.Hour), Start: start, End: end,
		MinTime: at(start), MaxTime: at(end), MinSeen: at(start), MaxSeen: at(end),
	}
}

func someFlush() ledger.Flush {
	return ledger.Flush{
		Claim: ledger.Claim{Partition: ledger.Partition{TopicID: topic, Topic: "events.x", Partition: 7}, Epoch: 3, Next: 42},
		Seq:   12, Start: 42, End: 50, Records: 8, Reason: ledger.ReasonAge, Files: []ledger.File{file("a", 42, 46), file("b", 46, 50)},
		Manifest: mirror.FlushKey(topic, 7, 42), Previous: cas.Sum([]byte("before")), Committed: at(60), ArchivedThrough: at(50), EventTime: at(49), CaughtUp: true,
	}
}

func someSwap() ledger.Swap {
	sum := file("c", 42, 50)
	sum.Rows, sum.Spans = 7, []ledger.Span{{Partition: 7, Start: 42, End: 50}}
	return ledger.Swap{
		Seq: 13, TopicID: topic, Topic: "events.x", N: 2, Kind: ledger.SwapCompact, Add: []ledger.File{sum}, Duplicates: 1,
		Remove:   []ledger.FileRef{{Key: "a", Digest: cas.Sum([]byte("a")), Rows: 4}, {Key: "b", Digest: cas.Sum([]byte("b")), Rows: 4}},
		Manifest: mirror.SwapKey(topic, 2), Previous: cas.Sum([]byte("swap 1")), Committed: at(100),
	}
}

func TestKeys(t *testing.T) {
	if got := mirror.FlushKey(topic, 7, 42); got != "manifests/ab000000000000000000000000000001/00007/00000000000000000042.json" {
		t.Error(got)
	}
	if got := mirror.SwapKey(topic, 2); got != "manifests/ab000000000000000000000000000001/swaps/00000000000000000002.json" {
		t.Error(got)
	}
}

// TestRoundTrip: what a ledger had comes back, members that are empty too.
func TestRoundTrip(t *testing.T) {
	first, lost := someFlush(), someFlush()
	first.Previous = cas.Digest{}
	lost.Files, lost.Records, lost.Reason = nil, 0, ledger.ReasonLost
	for _, want := range []ledger.Flush{someFlush(), first, lost} {
		b := must(mirror.EncodeFlush(want))(t)
		if got := must(mirror.DecodeFlush(want.Manifest, b))(t); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	purge := someSwap()
	purge.Kind, purge.Add, purge.Duplicates, purge.Previous = ledger.SwapPurge, nil, 0, cas.Digest{}
	for _, want := range []ledger.Swap{someSwap(), purge} {
		b := must(mirror.EncodeSwap(want))(t)
		if got := must(mirror.DecodeSwap(want.Manifest, b))(t); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// TestSameBytes: neither the order of files nor the zone or precision of a store's times changes the digest.
func TestSameBytes(t *testing.T) {
	f := someFlush()
	want := string(must(mirror.EncodeFlush(f))(t))
	f.Files[0], f.Files[1] = f.Files[1], f.Files[0]
	f.Committed = f.Committed.Add(7).In(time.FixedZone("east", 3600))
	if got := string(must(mirror.EncodeFlush(f))(t)); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestMalformed(t *testing.T) {
	f, s := someFlush(), someSwap()
	flush, swap := string(must(mirror.EncodeFlush(f))(t)), string(must(mirror.EncodeSwap(s))(t))
	for name, b := range map[string]string{
		"nothing":         "",
		"cut":             flush[:len(flush)-1],
		"more":            flush + " ",
		"unknown member":  strings.Replace(flush, "{", `{"also":1,`, 1),
		"other version":   strings.Replace(flush, `"version":1`, `"version":2`, 1),
		"other partition": strings.Replace(flush, `"partition":7`, `"partition":8`, 1),
		"no topic id":     strings.Replace(flush, `"topic_id":"ab`, `"topic_id":"`, 1),
		"too many rows":   strings.Replace(flush, `"records":8`, `"records":9`, 1),
		"other order":     strings.Replace(flush, `"caught_up":true,`, "", 1),
		"a swap":          swap,
	} {
		if got, err := mirror.DecodeFlush(f.Manifest, []byte(b)); !errors.Is(err, mirror.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, b := range map[string]string{
		"cut":           swap[:len(swap)-1],
		"other place":   strings.Replace(swap, `"n":2`, `"n":3`, 1),
		"other kind":    strings.Replace(swap, `"compact"`, `"forget"`, 1),
		"lossy":         strings.Replace(swap, `"duplicates":1`, `"duplicates":0`, 1),
		"other version": strings.Replace(swap, `"version":1`, `"version":2`, 1),
		"a flush":       flush,
	} {
		if got, err := mirror.DecodeSwap(s.Manifest, []byte(b)); !errors.Is(err, mirror.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// FuzzDecode: what is taken is written again byte for byte.
func FuzzDecode(f *testing.F) {
	flush, err1 := mirror.EncodeFlush(someFlush())
	swap, err2 := mirror.EncodeSwap(someSwap())
	if err := errors.Join(err1, err2); err != nil {
		f.Fatal(err)
	}
	f.Add(mirror.FlushKey(topic, 7, 42), flush)
	f.Add(mirror.SwapKey(topic, 2), swap)
	f.Fuzz(func(t *testing.T, key string, b []byte) {
		if fl, err := mirror.DecodeFlush(key, b); err == nil {
			if again := must(mirror.EncodeFlush(fl))(t); string(again) != string(b) {
				t.Errorf("%s\nbecame\n%s", b, again)
			}
		}
		if s, err := mirror.DecodeSwap(key, b); err == nil {
			if again := must(mirror.EncodeSwap(s))(t); string(again) != string(b) {
				t.Errorf("%s\nbecame\n%s", b, again)
			}
		}
	})
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
