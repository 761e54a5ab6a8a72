//go:build cgo

package duckengine

import (
	"fmt"
	"strings"

	"github.com/signalbox-ml/signalbox/consumers/generate"
)

// confine returns the settings of a build. The order matters: after the last one nothing can be set any more.
func confine(r generate.Request) []string {
	inputs := make([]string, len(r.Plan.Inputs))
	for i, path := range r.Plan.Inputs {
		inputs[i] = literal(path)
	}
	s := []string{
		"SET TimeZone = 'UTC'",
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET temp_directory = " + literal(r.Temp),
		"SET allowed_paths = [" + strings.Join(inputs, ", ") + "]",
		"SET allowed_directories = [" + literal(r.Dir) + "]",
	}
	if r.Memory > 0 {
		s = append(s, fmt.Sprintf("SET memory_limit = '%dB'", r.Memory))
	}
	if r.Threads > 0 {
		s = append(s, fmt.Sprintf("SET threads = %d", r.Threads))
	}
	return append(s, "SET enable_external_access = false", "SET lock_configuration = true")
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func quote(s string) string   { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
