package segment

import (
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/signalbox-ml/signalbox/events/lex"
)

// encoder writes rows to Parquet column by column, those that no Go type has among them.
type encoder struct {
	parquet *parquet.Writer
	options []parquet.WriterOption
	out     io.Writer
	typed   *typed
	batch   batch
	rows    int  // in the open row group
	closed  bool // parquet ended a file
}

// newEncoder writes to out rows that have the columns of t beside the fixed ones.
func newEncoder(out io.Writer, t *typed, options ...parquet.WriterOption) *encoder {
	e := &encoder{options: append(options, t.schema()), out: out, typed: t}
	e.batch.typed = make([][rowsAtOnce]parquet.Value, len(t.columns))
	e.parquet = parquet.NewWriter(out, e.options...)
	return e
}

// reset makes e ready for the next file. A Parquet writer costs as much as some hundred rows, so one that ended a file is used
// again. The footer of that file shares the names of the columns with it, and parquet-go v0.32 wipes what a footer had.
func (e *encoder) reset() {
	e.rows = 0
	e.batch.reset()
	if !e.closed {
		e.parquet = parquet.NewWriter(e.out, e.options...)
		return
	}
	for _, group := range e.parquet.File().Metadata().RowGroups {
		for i := range group.Columns {
			group.Columns[i].MetaData.PathInSchema = nil
		}
	}
	e.parquet.Reset(e.out)
	e.closed = false
}

// add takes a row, and the members of its data where its type has typed columns. Until settle nothing of them may change.
func (e *encoder) add(c *columns, data []member) {
	places := e.typed.places[string(c.Type)]
	for _, m := range data {
		if m.escaped {
			m.name = lex.Unescape(nil, m.name)
		}
		if at, ok := places[string(m.name)]; ok {
			e.batch.typed[at.column][e.batch.rows] = valueOf(at.kind, m.value)
		}
	}
	e.batch.add(c)
}

// full reports whether it is time to settle.
func (e *encoder) full() bool {
	return e.batch.rows == rowsAtOnce || e.rows+e.batch.rows == rowGroup
}

// settle hands the rows to Parquet.
func (e *encoder) settle() error {
	for i, to := range e.parquet.ColumnWriters() {
		if _, err := to.WriteRowValues(e.batch.leaf(i)); err != nil {
			return fmt.Errorf("encode rows: %w", err)
		}
	}
	e.rows += e.batch.rows
	e.batch.reset()
	if e.rows < rowGroup {
		return nil
	}
	return e.endGroup()
}

// endGroup ends the row group.
func (e *encoder) endGroup() error {
	e.rows = 0
	if err := e.parquet.Flush(); err != nil {
		return fmt.Errorf("end row group: %w", err)
	}
	return nil
}

// close ends the file.
func (e *encoder) close() error {
	if err := e.settle(); err != nil {
		return err
	}
	if err := e.parquet.Close(); err != nil {
		return fmt.Errorf("close segment: %w", err)
	}
	e.closed = true
	return nil
}
