package probe

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Check is the outcome for one promise.
type Check struct {
	Name   string        `json:"name"`
	OK     bool          `json:"ok"`
	Detail string        `json:"detail"`           // what was seen
	Remedy string        `json:"remedy,omitempty"` // what to do about it, if not OK
	Took   time.Duration `json:"took"`             // nanoseconds
}

// Report is what a probe found, in the order in which it looked.
type Report struct {
	Checks []Check `json:"checks"`
}

// Err is nil for a store that kept every promise, and wraps ErrUnfit with every broken one otherwise.
func (r Report) Err() error {
	var faults []error
	for _, c := range r.Checks {
		if !c.OK {
			faults = append(faults, fmt.Errorf("%s: %s: %s", c.Name, c.Detail, c.Remedy))
		}
	}
	if len(faults) == 0 && len(r.Checks) > 0 {
		return nil
	}
	if len(r.Checks) == 0 {
		faults = append(faults, errors.New("nothing was checked"))
	}
	return fmt.Errorf("%w: %w", ErrUnfit, errors.Join(faults...))
}

// String is a table for people.
func (r Report) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		verdict := "ok"
		if !c.OK {
			verdict = "FAIL"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", verdict, c.Name, c.Took.Round(time.Millisecond), c.Detail)
		if !c.OK {
			fmt.Fprintf(w, "\t\t\t-> %s\n", c.Remedy)
		}
	}
	w.Flush()
	return b.String()
}
