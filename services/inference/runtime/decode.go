package runtime

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// DecodeRequest reads {"rows": [{...}, ...]} into r, which it resets. strict refuses members that no column has;
// otherwise they are counted and ignored. The error is ErrSyntax, ErrTooManyRows or a *RowError.
func (c *Columns) DecodeRequest(body []byte, strict bool, r *Rows) error {
	r.Reset()
	r.Width = len(c.list)
	s := scanner{buf: body}
	if !utf8.Valid(body) {
		return fmt.Errorf("the body is not UTF-8: %w", ErrSyntax)
	}
	found := false
	err := s.members(func(key []byte) error {
		if string(key) != "rows" {
			return s.fault("only the member rows is known here")
		}
		if found {
			return s.fault("rows stands twice")
		}
		found = true
		return s.elements(func() error { return c.row(&s, strict, r) })
	})
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("want an object with the member rows: %w", ErrSyntax)
	}
	return s.end()
}

// DecodeRow appends one row, which must be all of text. Spans refer to text.
func (c *Columns) DecodeRow(text []byte, r *Rows) error {
	if !utf8.Valid(text) {
		return fmt.Errorf("the row is not UTF-8: %w", ErrSyntax)
	}
	s := scanner{buf: text}
	if err := c.row(&s, false, r); err != nil {
		return err
	}
	return s.end()
}

// row reads one object.
func (c *Columns) row(s *scanner, strict bool, r *Rows) error {
	if err := c.begin(r); err != nil {
		return err
	}
	s.space()
	from, next := s.pos, 0
	values := r.Values[len(r.Values)-len(c.list):]
	err := s.members(func(key []byte) error {
		// Members mostly come in the order of the columns.
		at, ok := next, next < len(c.list) && c.list[next].Name == string(key)
		if !ok {
			if at, ok = c.at[string(key)]; !ok {
				r.Ignored++
				if strict {
					return &RowError{Row: r.Rows - 1, Feature: string(key), Code: CodeUnknown}
				}
				return s.skip()
			}
		}
		next = at + 1
		if r.stamp[at] == r.turn {
			return &RowError{Row: r.Rows - 1, Feature: c.list[at].Name, Code: CodeDuplicate}
		}
		r.stamp[at] = r.turn
		return c.value(s, r, at, &values[at])
	})
	if err != nil {
		return err
	}
	r.Spans = append(r.Spans, [2]int{from, s.pos})
	return c.finish(r)
}

// value reads the value of column at. What it does not understand it leaves NaN.
func (c *Columns) value(s *scanner, r *Rows, at int, into *float64) error {
	col := &c.list[at]
	mistyped := func() error {
		return &RowError{Row: r.Rows - 1, Feature: col.Name, Code: CodeMistyped, Want: col.want()}
	}
	s.space()
	first := s.peek()
	if first == 'n' {
		if err := s.word("null"); err != nil {
			return err
		}
		if !col.Nullable {
			return mistyped()
		}
		return nil
	}
	switch col.Type {
	case manifest.Number, manifest.Integer:
		if first != '-' && (first < '0' || first > '9') {
			return mistyped()
		}
		v, err := s.number()
		if err != nil {
			return err
		}
		if math.IsInf(v, 0) || col.Type == manifest.Integer && (v != math.Trunc(v) || math.Abs(v) > 1<<53) {
			return mistyped()
		}
		*into = v
	case manifest.Boolean:
		switch first {
		case 't':
			*into = 1
			return s.word("true")
		case 'f':
			*into = 0
			return s.word("false")
		}
		return mistyped()
	default:
		if first != '"' {
			return mistyped()
		}
		v, err := s.text()
		if err != nil {
			return err
		}
		c.string(v, r, at, into)
	}
	return nil
}

// string stores a category's code, or free text.
func (c *Columns) string(v []byte, r *Rows, at int, into *float64) {
	codes := c.list[at].codes
	if codes == nil {
		r.Text[len(r.Text)-len(c.list)+at] = string(v)
		return
	}
	code, known := codes[string(v)]
	if !known {
		r.Unknown++
		return
	}
	*into = float64(code)
}
