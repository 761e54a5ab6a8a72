// Package verdict says why a job of Ray failed, by what Ray says about it.
package verdict

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

// Failure is what Ray says about a job that failed.
type Failure struct {
	Type     string // Ray's error_type; "" where it is not known
	Message  string
	ExitCode *int // of the entrypoint; nil if it did not end, or is not known
	Ran      bool // the entrypoint was started
}

var (
	exitCode = regexp.MustCompile(`failed with exit code (-?\d+)`)
	// killed is the launcher's last line where the kernel killed its child for memory.
	killed = regexp.MustCompile(`^killed: (out of memory.*)$`)
)

// Status is the failure as the machine reads it.
func (f Failure) Status() train.Status {
	st := train.Status{Phase: train.PhaseFailed, ExitCode: 137}
	if code, ok := f.code(); ok {
		return ofExit(code, f.Message)
	}
	st.Reason = cmp.Or(firstLine(f.Message), "Ray does not say why")
	switch {
	case containsAny(f.Message, "OutOfMemoryError", "running low on memory", "memory pressure", "OOMKilled", "due to OOM"):
		st.Cause, st.Reason = train.CauseOutOfMemory, "out of memory: "+st.Reason
	case f.Type == "JOB_SUPERVISOR_ACTOR_START_TIMEOUT", f.Type == "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE":
		st.Cause = train.CauseDisrupted // the cluster had no room for it, or no more
	case f.Type == "JOB_SUPERVISOR_ACTOR_DIED":
		st.Cause = train.CauseDisrupted
	case f.Ran && strings.HasPrefix(f.Type, "JOB_SUPERVISOR_"):
		st.Cause = train.CauseDisrupted // it ran, and the head that came back does not find it
	}
	return st
}

// code is the exit status: Ray's own figure or, where only its words are known, the one in them.
func (f Failure) code() (int, bool) {
	if f.ExitCode != nil {
		return *f.ExitCode, true
	}
	if m := exitCode.FindStringSubmatch(firstLine(f.Message)); m != nil {
		n, err := strconv.Atoi(m[1])
		return n, err == nil
	}
	return 0, false
}

// ofExit is the status of an entrypoint that ended. Python gives a signal as a negative number, a shell as 128 and more.
func ofExit(code int, message string) train.Status {
	if code < 0 {
		code = 128 - code
	}
	last := lastLine(message)
	st := train.Status{Phase: train.PhaseFailed, ExitCode: code}
	switch m := killed.FindStringSubmatch(last); {
	case code == 137 && m != nil:
		st.Reason, st.Cause = m[1], train.CauseOutOfMemory
	case code > 128:
		st.Reason = fmt.Sprintf("killed by signal %d", code-128)
	case last != "":
		st.Reason = fmt.Sprintf("exit status %d: %s", code, last)
	default:
		st.Reason = fmt.Sprintf("exit status %d", code)
	}
	return st
}

// lastLine is the last line of the log that Ray quotes below its own words; "" where it quotes none.
func lastLine(message string) string {
	_, quoted, _ := strings.Cut(message, "\n")
	quoted = strings.TrimSpace(quoted)
	return short(quoted[strings.LastIndexByte(quoted, '\n')+1:])
}

func firstLine(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	return short(line)
}

func short(line string) string {
	return strings.ToValidUTF8(line[:min(len(line), 300)], "")
}

func containsAny(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
}
