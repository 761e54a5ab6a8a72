package raybackend

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func readText(r io.Reader) (string, error) {
	t, err := newTextReader(r)
	if err != nil {
		return "", err
	}
	out, err := io.ReadAll(t)
	return string(out), err
}

func TestTextReader(t *testing.T) {
	for answer, want := range map[string]string{
		`{"logs": ""}`:                          "",
		` { "logs" : "begin\nend\n" } `:         "begin\nend\n",
		`{"logs":"\"\\\/\b\f\n\r\t"}`:           "\"\\/\b\f\n\r\t",
		`{"logs":"Z\u00fcrich \ud83d\ude80 é"}`: "Zürich 🚀 é",
		`{"logs":"\ud83d x \ude80\ud83d"}`:      "\ufffd x \ufffd\ufffd",
		`{"logs":"\ud83d\u0041"}`:               "\ufffdA",
	} {
		if got, err := readText(iotest.OneByteReader(strings.NewReader(answer))); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", answer, got, err, want)
		}
	}
}

func TestTextReaderRefuses(t *testing.T) {
	for answer, want := range map[string]error{
		``: errNoText, `[]`: errNoText, `{"log":"x"}`: errNoText, `{"l ogs":"x"}`: errNoText, `{"logs":null}`: errNoText,
		`{"logs":"\x"}`: errNoText, `{"logs":"\u12g4"}`: errNoText,
		`{"logs":"half`: io.ErrUnexpectedEOF, `{"logs":"half\`: io.ErrUnexpectedEOF, `{"logs":"half\u12`: io.ErrUnexpectedEOF,
	} {
		if got, err := readText(strings.NewReader(answer)); !errors.Is(err, want) {
			t.Errorf("%s: %q, %v, want %v", answer, got, err, want)
		}
	}
}

// FuzzText compares with the standard library, where that takes the answer.
func FuzzText(f *testing.F) {
	for _, seed := range []string{`{"logs":"a"}`, `{"logs":"\u00fc\ud83d\ude80"}`, `{"logs":"\ud83d\ud83d\ude80"}`, `{"logs": "`, `{"logs":1}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		got, err := readText(strings.NewReader(answer))
		quoted, ok := strings.CutPrefix(answer, `{"logs":`)
		var want string
		if !ok || !utf8.ValidString(answer) || json.Unmarshal([]byte(strings.TrimSuffix(quoted, "}")), &want) != nil || quoted[0] != '"' {
			return
		}
		if err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", answer, got, err, want)
		}
	})
}
