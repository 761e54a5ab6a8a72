//go:build cgo

package duckengine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/signalbox-ml/signalbox/consumers/generate"
	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

const (
	partName = "part-00000.parquet"
	// rowGroup is DuckDB's own unit of parallel reading.
	rowGroup = 122880
)

// Engine implements generate.Engine. Builds may run at the same time; each has its own database.
type Engine struct{}

// Build implements generate.Engine.
func (Engine) Build(ctx context.Context, r generate.Request) (generate.Result, error) {
	b, err := open(ctx, r)
	if err != nil {
		return generate.Result{}, explain(ctx, err)
	}
	defer b.close()
	res, err := b.run(ctx, r)
	if err != nil {
		return generate.Result{}, explain(ctx, err)
	}
	return res, nil
}

// build is one database in memory, with one connection: temporary tables belong to a connection.
type build struct {
	db   *sql.DB
	conn *sql.Conn
}

func open(ctx context.Context, r generate.Request) (*build, error) {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, fmt.Errorf("open duckdb: %w", err)
	}
	b := &build{db: sql.OpenDB(connector)}
	if b.conn, err = b.db.Conn(ctx); err == nil {
		err = b.exec(ctx, confine(r)...)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *build) close() {
	if b.conn != nil {
		_ = b.conn.Close() // nothing durable is in the database
	}
	_ = b.db.Close()
}

func (b *build) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := b.conn.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (b *build) run(ctx context.Context, r generate.Request) (generate.Result, error) {
	if err := b.exec(ctx, r.Plan.Statements...); err != nil {
		return generate.Result{}, err
	}
	checks, err := b.checks(ctx, r.Plan)
	if err != nil {
		return generate.Result{}, err
	}
	types, err := b.types(ctx, r.Plan)
	if err != nil {
		return generate.Result{}, err
	}
	part := filepath.Join(r.Dir, partName)
	if err := b.exec(ctx, copyTo(part, r.Plan, types)); err != nil {
		return generate.Result{}, err
	}
	if err := b.count(ctx, part, r.Plan, &checks); err != nil {
		return generate.Result{}, err
	}
	info, err := os.Stat(part)
	if err != nil {
		return generate.Result{}, fmt.Errorf("stat the part: %w", err)
	}
	res := generate.Result{Checks: checks, Parts: []generate.Part{{Name: partName, Bytes: info.Size(), Rows: checks.Rows}}}
	for i, c := range r.Plan.Columns {
		nullable := c.Optional || checks.Nulls[c.Name] > 0
		res.Columns = append(res.Columns, manifest.Column{Name: c.Name, Type: types[i].name, Nullable: nullable})
	}
	return res, nil
}

// checks runs the plan's checks and refuses a dataset that knows the future.
func (b *build) checks(ctx context.Context, p compile.Plan) (generate.Checks, error) {
	figures := map[string]map[string]int64{}
	for _, c := range p.Checks {
		f, err := b.figures(ctx, c.SQL)
		if err != nil {
			return generate.Checks{}, fmt.Errorf("check %s: %w", c.Name, err)
		}
		figures[c.Name] = f
	}
	for feature, lead := range figures[compile.CheckLead] {
		if lead > 0 {
			return generate.Checks{}, &generate.EngineError{Kind: generate.KindLeak,
				Message: fmt.Sprintf("feature %s holds a value that was known only %d µs after its row's time; no dataset was written", feature, lead)}
		}
	}
	rows := figures[compile.CheckRows]
	return generate.Checks{
		SpineRows: rows["spine"], Labelled: rows["labelled"], NullLabel: rows["label_null"],
		CastFailures: figures[compile.CheckCast], Lead: figures[compile.CheckLead],
	}, nil
}

func (b *build) figures(ctx context.Context, query string) (map[string]int64, error) {
	rows, err := b.conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return nil, err
		}
		out[name] = n
	}
	return out, rows.Err()
}

// count reads the part back, so that what is registered is known to be readable.
func (b *build) count(ctx context.Context, part string, p compile.Plan, c *generate.Checks) error {
	dest := []any{&c.Rows}
	var list strings.Builder
	nulls := make([]int64, len(p.Columns))
	for i, col := range p.Columns {
		fmt.Fprintf(&list, ", count(*) - count(%s)", quote(col.Name))
		dest = append(dest, &nulls[i])
	}
	query := "SELECT count(*)" + list.String() + " FROM read_parquet(" + literal(part) + ")"
	if err := b.conn.QueryRowContext(ctx, query).Scan(dest...); err != nil {
		return fmt.Errorf("read the part back: %w", err)
	}
	c.Nulls = map[string]int64{}
	for i, col := range p.Columns {
		c.Nulls[col.Name] = nulls[i]
	}
	return nil
}

// explain turns DuckDB's errors into words for the author of a spec.
func explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("build: %w", cause)
	}
	var ours *generate.EngineError
	if errors.As(err, &ours) {
		return ours
	}
	var theirs *duckdb.Error
	if !errors.As(err, &theirs) {
		return &generate.EngineError{Kind: generate.KindInternal, Message: err.Error()}
	}
	kind := generate.KindInternal
	switch theirs.Type {
	case duckdb.ErrorTypeParser, duckdb.ErrorTypeSyntax, duckdb.ErrorTypeBinder, duckdb.ErrorTypeCatalog,
		duckdb.ErrorTypeConversion, duckdb.ErrorTypeOutOfRange, duckdb.ErrorTypeInvalidInput, duckdb.ErrorTypeDivideByZero,
		duckdb.ErrorTypeMismatchType, duckdb.ErrorTypeUnknownType, duckdb.ErrorTypeInvalidType,
		duckdb.ErrorTypeExpression, duckdb.ErrorTypePermission:
		kind = generate.KindSpec
	case duckdb.ErrorTypeOutOfMemory:
		kind = generate.KindMemory
	}
	return &generate.EngineError{Kind: kind, Message: theirs.Msg}
}
