package training

import (
	"encoding/json"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// maxExact is the greatest integer up to which every integer is a JSON number of its own.
const maxExact = 1 << 53

// checkScalars faults what JSON can say and nothing behind it can keep: U+0000, numbers that no float64 is, and integers
// that are rounded as one.
func checkScalars(fs *manifest.FaultList, at string, b []byte) {
	manifest.Walk(b, func(v manifest.Value) {
		pointer, problem := at+v.Pointer(), ""
		for i, name := range v.Path {
			if strings.ContainsRune(name, 0) {
				pointer, problem = at+manifest.Value{Path: v.Path[:i]}.Pointer(), "the name of a member holds U+0000, which no text here may"
				break
			}
		}
		switch tok := v.Token.(type) {
		case string:
			if problem == "" && strings.ContainsRune(tok, 0) {
				problem = "holds U+0000, which no text here may"
			}
		case json.Number:
			if problem == "" {
				problem = numberFault(tok)
			}
		}
		fs.Check(problem == "", pointer, "%s", problem)
	})
}

func numberFault(n json.Number) string {
	if _, err := n.Float64(); err != nil {
		return "is beyond what a number may be"
	}
	if strings.ContainsAny(n.String(), ".eE") {
		return ""
	}
	if i, err := n.Int64(); err != nil || i > maxExact || i < -maxExact {
		return "is beyond 2^53, where JSON numbers are no longer exact: send it as a text"
	}
	return ""
}
