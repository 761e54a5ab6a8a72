package trees

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// lines reads a file of sections: "key=value" lines up to an empty line.
type lines struct{ rest []byte }

// section is one of them. Values are slices of the file.
type section struct {
	first  string // the first line
	fields map[string][]byte
}

// section reads the next section, which ends early at the line last.
func (l *lines) section(last string) section {
	s := section{fields: map[string][]byte{}}
	for len(l.rest) > 0 {
		line, rest, _ := bytes.Cut(l.rest, []byte("\n"))
		l.rest = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			if s.first == "" {
				continue
			}
			break
		}
		if s.first == "" {
			s.first = string(line)
			if s.first == last {
				break
			}
			continue
		}
		key, value, _ := bytes.Cut(line, []byte("="))
		s.fields[string(key)] = value
	}
	return s
}

func (s section) integer(key string) (int, error) {
	n, err := strconv.ParseInt(string(s.fields[key]), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s=%s is no integer: %w", key, clip(string(s.fields[key])), errMalformed)
	}
	return int(n), nil
}

// integers reads exactly n integers. Memory is taken for what is there, not for what n claims.
func (s section) integers(key string, n int) ([]int, error) {
	var out []int
	for word := range strings.FieldsSeq(string(s.fields[key])) {
		v, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no integer: %w", key, clip(word), errMalformed)
		}
		out = append(out, int(v))
	}
	if len(out) != n {
		return nil, fmt.Errorf("%s: %d integers, want %d: %w", key, len(out), n, errMalformed)
	}
	return out, nil
}

func (s section) floats(key string) ([]float64, error) {
	var out []float64
	for word := range strings.FieldsSeq(string(s.fields[key])) {
		v, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no number: %w", key, clip(word), errMalformed)
		}
		out = append(out, v)
	}
	return out, nil
}

// clip keeps hostile input out of error texts.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
