//go:build cgo

package duckengine

import (
	"context"
	"fmt"
	"strings"

	"github.com/signalbox-ml/signalbox/consumers/generate"
	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// column is how a column is written: one physical type for each type of a manifest, so that readers see no decimals,
// no narrow integers and no local times.
type column struct {
	name string // manifest type
	sql  string
}

// types asks DuckDB what the plan's columns are.
func (b *build) types(ctx context.Context, p compile.Plan) ([]column, error) {
	rows, err := b.conn.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE "+quote(p.Relation)+")")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	have := map[string]string{}
	for rows.Next() {
		var name, typ string
		if err := rows.Scan(&name, &typ); err != nil {
			return nil, err
		}
		have[name] = typ
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	out := make([]column, len(p.Columns))
	for i, c := range p.Columns {
		if out[i], err = columnOf(have[c.Name]); err != nil {
			return nil, &generate.EngineError{Kind: generate.KindSpec, Message: fmt.Sprintf("column %s: %v", c.Name, err)}
		}
	}
	return out, nil
}

func columnOf(typ string) (column, error) {
	switch {
	case typ == "VARCHAR":
		return column{manifest.String, "VARCHAR"}, nil
	case typ == "BOOLEAN":
		return column{manifest.Boolean, "BOOLEAN"}, nil
	case typ == "DOUBLE" || typ == "FLOAT" || strings.HasPrefix(typ, "DECIMAL("):
		return column{manifest.Number, "DOUBLE"}, nil
	case typ == "TIMESTAMP WITH TIME ZONE" || typ == "TIMESTAMP" || typ == "DATE":
		return column{manifest.Timestamp, "TIMESTAMPTZ"}, nil
	}
	switch typ {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT":
		return column{manifest.Integer, "BIGINT"}, nil
	}
	return column{}, fmt.Errorf("type %s cannot be trained on: CAST it to VARCHAR, BIGINT, DOUBLE, BOOLEAN or TIMESTAMPTZ", typ)
}

// copyTo sorts and writes in one go. A total order makes the bytes independent of threads and memory.
func copyTo(part string, p compile.Plan, types []column) string {
	list := make([]string, len(p.Columns))
	for i, c := range p.Columns {
		list[i] = fmt.Sprintf("CAST(%s AS %s) AS %[1]s", quote(c.Name), types[i].sql)
	}
	return fmt.Sprintf("COPY (SELECT %s FROM %s ORDER BY %s)\nTO %s (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE %d)",
		strings.Join(list, ", "), quote(p.Relation), quote(p.Order), literal(part), rowGroup)
}
