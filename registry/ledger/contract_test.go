package ledger

import (
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

func TestStorable(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "flight.departed": true, "größer": true, strings.Repeat("x", maxText): true,
		strings.Repeat("x", maxText+1): false, "a\x00b": false, "\xff": false,
	} {
		if Storable(text) != want {
			t.Errorf("%.20q: %v", text, !want)
		}
	}
}

// Each flush but the first has one thing wrong.
func TestFlushValidate(t *testing.T) {
	good := func() Flush {
		return Flush{Start: 10, End: 20, Records: 7, Reason: ReasonAge, Files: []File{{Key: "k", Digest: cas.Sum(nil), Type: "t", Start: 10, End: 20}}}
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Flush){
		"[20, 10)":        func(f *Flush) { f.Start, f.End, f.Files = 20, 10, nil },
		"no range":        func(f *Flush) { f.End, f.Records, f.Files = f.Start, 0, nil },
		"11 records":      func(f *Flush) { f.Records = 11 },
		"-1 records":      func(f *Flush) { f.Records = -1 },
		"reason":          func(f *Flush) { f.Reason = "" },
		"want both":       func(f *Flush) { f.Files[0].Digest = cas.Digest{} },
		"U+0000":          func(f *Flush) { f.Files[0].Type = "\x00" },
		"not in [10, 20)": func(f *Flush) { f.Files[0].End = 21 },
	} {
		f := good()
		spoil(&f)
		if err := f.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
