package runtime

import (
	"errors"
	"fmt"
	"math"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// Limits of one request. Cells bound the memory that a small body of empty rows could ask for.
const (
	MaxRows  = 10_000
	MaxCells = 1 << 21
)

var (
	// ErrSyntax reports a body that is not the expected JSON.
	ErrSyntax = errors.New("not the expected JSON")
	// ErrTooManyRows reports a request beyond MaxRows or MaxCells.
	ErrTooManyRows = errors.New("too many rows")
	// ErrSchema reports a signature that describes no table.
	ErrSchema = errors.New("signature is not usable")
)

// Codes of a RowError.
const (
	CodeMissing   = "missing_feature"
	CodeMistyped  = "mistyped_feature"
	CodeUnknown   = "unknown_feature"
	CodeDuplicate = "duplicate_feature"
)

// RowError reports a row that does not match the signature. Everything in it may be shown to the sender.
type RowError struct {
	Row     int // from 0
	Feature string
	Code    string
	Want    string // what the signature asks for, where the value is of another type
}

// Error names the row and the feature.
func (e *RowError) Error() string {
	s := fmt.Sprintf("row %d: %s %q", e.Row, e.Code, e.Feature)
	if e.Want != "" {
		s += ": want " + e.Want
	}
	return s
}

// Columns reads JSON rows of one signature. It is immutable.
type Columns struct {
	list []column
	at   map[string]int
	text bool
}

type column struct {
	manifest.Column
	codes map[string]int
}

// NewColumns prepares the columns of a signature. A name that stands twice, an unknown type or a category that stands
// twice is an ErrSchema.
func NewColumns(list []manifest.Column) (*Columns, error) {
	if len(list) == 0 || len(list) > math.MaxUint16 {
		return nil, fmt.Errorf("%d columns: %w", len(list), ErrSchema)
	}
	c := &Columns{at: make(map[string]int, len(list))}
	for i, col := range list {
		if _, twice := c.at[col.Name]; twice || col.Name == "" {
			return nil, fmt.Errorf("column %d: name %q is empty or stands twice: %w", i, col.Name, ErrSchema)
		}
		c.at[col.Name] = i
		switch col.Type {
		case manifest.Number, manifest.Integer, manifest.Boolean, manifest.String:
		default:
			return nil, fmt.Errorf("column %q: type %q: %w", col.Name, col.Type, ErrSchema)
		}
		k := column{Column: col}
		if len(col.Categories) > 0 {
			if col.Type != manifest.String {
				return nil, fmt.Errorf("column %q: categories of a %s: %w", col.Name, col.Type, ErrSchema)
			}
			k.codes = make(map[string]int, len(col.Categories))
			for code, value := range col.Categories {
				if _, twice := k.codes[value]; twice {
					return nil, fmt.Errorf("column %q: category %q stands twice: %w", col.Name, value, ErrSchema)
				}
				k.codes[value] = code
			}
		}
		c.text = c.text || col.Type == manifest.String && k.codes == nil
		c.list = append(c.list, k)
	}
	return c, nil
}

// Width is the number of columns.
func (c *Columns) Width() int { return len(c.list) }

// Rows are decoded rows. The zero value is empty; Reset makes one reusable.
type Rows struct {
	Batch
	// Spans says where each row stands in the body: [start, end).
	Spans [][2]int
	// Ignored counts members that no column has, Unknown strings outside their column's categories.
	Ignored, Unknown int

	stamp []uint32 // of each column: the row that had it last
	turn  uint32
}

// Reset forgets the rows and keeps the memory.
func (r *Rows) Reset() {
	*r = Rows{
		Batch: Batch{Values: r.Values[:0], Text: r.Text[:0]}, Spans: r.Spans[:0],
		stamp: r.stamp[:0],
	}
}

// begin appends an empty row.
func (c *Columns) begin(r *Rows) error {
	if r.Rows >= MaxRows || (r.Rows+1)*len(c.list) > MaxCells {
		return fmt.Errorf("want at most %d rows and %d values: %w", MaxRows, MaxCells, ErrTooManyRows)
	}
	r.Width = len(c.list)
	if r.Rows == 0 {
		r.stamp, r.turn = append(r.stamp[:0], make([]uint32, len(c.list))...), 0
	}
	r.turn++
	for range c.list {
		r.Values = append(r.Values, math.NaN())
	}
	if c.text {
		for range c.list {
			r.Text = append(r.Text, "")
		}
	}
	r.Rows++
	return nil
}

// finish checks that the last row has every column that it must have.
func (c *Columns) finish(r *Rows) error {
	for i := range c.list {
		if r.stamp[i] != r.turn && !c.list[i].Nullable {
			return &RowError{Row: r.Rows - 1, Feature: c.list[i].Name, Code: CodeMissing}
		}
	}
	return nil
}

// want says in words what a column takes.
func (c *column) want() string {
	article := "a "
	if c.Type == manifest.Integer {
		article = "an "
	}
	if c.Nullable {
		return article + c.Type + " or null"
	}
	return article + c.Type
}
