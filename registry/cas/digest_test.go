package cas_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// golden is a digest as it stands in documents of others.
const golden = "sha256.FDK2WAU4ULUV7ERWP3BMSVGPBGWG2GPUTUZXHOZRVSNCA4LPGVRA"

func TestParse(t *testing.T) {
	d, err := cas.Parse(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d.String() != golden {
		t.Errorf("%s became %s", golden, d)
	}
	if want := "28d5ab029ca2e95f92367ec2c954cf09ac6d19f49d3373bb31ac9a20716f3562"; d.Hex() != want {
		t.Errorf("hex is %s, want %s", d.Hex(), want)
	}
	if d.IsZero() || !(cas.Digest{}).IsZero() {
		t.Error("IsZero confuses the golden and the zero digest")
	}
	if len(golden) > 63 {
		t.Error("a digest does not fit a Kubernetes label value")
	}
}

func TestParseRefuses(t *testing.T) {
	for name, s := range map[string]string{
		"empty":               "",
		"prefix only":         "sha256.",
		"stray last bits":     strings.TrimSuffix(golden, "A") + "B",
		"stray high last bit": strings.TrimSuffix(golden, "A") + "I",
		"lower case":          "sha256." + strings.ToLower(golden[7:]),
		"upper case prefix":   strings.ToUpper(golden),
		"OCI prefix":          "sha256:" + golden[7:],
		"hex":                 "sha256.28d5ab029ca2e95f92367ec2c954cf09ac6d19f49d3373bb31ac",
		"too short":           golden[:58],
		"too long":            golden + "A",
		"padded":              golden + "====",
		"padding inside":      golden[:55] + "====",
		"new line inside":     golden[:58] + "\n",
		"not base32":          golden[:58] + "1",
		"space":               " " + golden[:58],
	} {
		t.Run(name, func(t *testing.T) {
			if d, err := cas.Parse(s); !errors.Is(err, cas.ErrBadDigest) || !d.IsZero() {
				t.Errorf("got %s, %v", d, err)
			}
		})
	}
}

func TestParseRefusesEveryOtherLastCharacter(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	var taken []string
	for _, c := range alphabet {
		if _, err := cas.Parse(golden[:58] + string(c)); err == nil {
			taken = append(taken, string(c))
		}
	}
	if got := strings.Join(taken, ""); got != "AQ" { // the last character carries one bit
		t.Errorf("last characters %q are accepted, want AQ", got)
	}
}

func TestParseHex(t *testing.T) {
	d := cas.Sum([]byte("x"))
	for _, s := range []string{d.Hex(), "sha256:" + d.Hex()} {
		if got, err := cas.ParseHex(s); err != nil || got != d {
			t.Errorf("%s: got %s, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "sha256:", strings.ToUpper(d.Hex()), d.Hex()[1:], d.Hex() + "00", "sha256:sha256:" + d.Hex(), "md5:" + d.Hex(), d.String()} {
		if _, err := cas.ParseHex(s); !errors.Is(err, cas.ErrBadDigest) {
			t.Errorf("%q: got %v, want %v", s, err, cas.ErrBadDigest)
		}
	}
}

func TestErrorsQuoteLittle(t *testing.T) {
	_, err := cas.Parse(strings.Repeat("é", 1<<16))
	if err == nil || len(err.Error()) > 400 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

func TestDigestJSON(t *testing.T) {
	d := cas.Descriptor{MediaType: "text/x", Digest: cas.Sum([]byte("x")), Size: 1}
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"mediaType":"text/x","digest":"` + d.Digest.String() + `","size":1}`
	if string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
	var back cas.Descriptor
	if err = json.Unmarshal(b, &back); err != nil || back != d {
		t.Errorf("back: %+v, %v", back, err)
	}
	var zero cas.Descriptor
	if err = json.Unmarshal([]byte(`{"digest":""}`), &zero); err != nil || !zero.Digest.IsZero() {
		t.Errorf("empty text: %+v, %v", zero, err)
	}
	if err = json.Unmarshal([]byte(`{"digest":"sha256.X"}`), &zero); !errors.Is(err, cas.ErrBadDigest) {
		t.Errorf("bad text: got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(golden)
	f.Add(golden[:58] + "B")
	f.Add(strings.ToLower(golden))
	f.Add("sha256.")
	f.Add("sha256:28d5ab029ca2e95f92367ec2c954cf09ac6d19f49d3373bb31ac9a20716f3562")
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := cas.Parse(s); err == nil {
			if d.String() != s {
				t.Errorf("%q is accepted but spelled %s", s, d)
			}
		} else if !errors.Is(err, cas.ErrBadDigest) {
			t.Errorf("%q: %v", s, err)
		}
		if d, err := cas.ParseHex(s); err == nil && d.Hex() != strings.TrimPrefix(s, "sha256:") {
			t.Errorf("%q is accepted but spelled %s", s, d.Hex())
		}
	})
}
