package segment

import "github.com/parquet-go/parquet-go"

const (
	// rowsAtOnce is how many rows are unpacked before Parquet takes them.
	rowsAtOnce = 64
	// The leaves of the format: those of headers stand in the midst.
	leafHeaders, leafData, leavesFixed = 15, 18, 21
)

// batch is rows as the values of the leaves of a file.
type batch struct {
	rows    int
	fixed   [leavesFixed][rowsAtOnce]parquet.Value
	headers [leafData - leafHeaders][]parquet.Value
	typed   [][rowsAtOnce]parquet.Value // null where nothing else was set since reset
}

// add takes a row, of which nothing may change before reset.
func (b *batch) add(c *columns) {
	i := b.rows
	b.fixed[0][i] = parquet.Int32Value(c.Partition)
	b.fixed[1][i] = parquet.Int64Value(c.Offset)
	b.fixed[2][i] = parquet.Int64Value(c.AppendTime)
	setBytes(&b.fixed[3][i], c.Key)
	setBytes(&b.fixed[4][i], c.ID)
	setBytes(&b.fixed[5][i], c.Source)
	setBytes(&b.fixed[6][i], c.Type)
	setBytes(&b.fixed[7][i], c.Subject)
	setInstant(&b.fixed[8][i], c.Time)
	setInstant(&b.fixed[9][i], c.RecordedTime)
	setBytes(&b.fixed[10][i], c.DataSchema)
	setBytes(&b.fixed[11][i], c.DataContentType)
	setBytes(&b.fixed[12][i], c.TraceParent)
	setBytes(&b.fixed[13][i], c.Ext)
	setBytes(&b.fixed[14][i], c.HeaderOrder)
	b.addHeaders(c.Headers)
	setBytes(&b.fixed[18][i], c.Data)
	setBytes(&b.fixed[19][i], c.DataBytes)
	setBytes(&b.fixed[20][i], c.Value)
	b.rows++
}

// addHeaders writes one null for a row without headers.
func (b *batch) addHeaders(headers []header) {
	if len(headers) == 0 {
		for i := range b.headers {
			b.headers[i] = append(b.headers[i], parquet.Value{})
		}
		return
	}
	for i := range headers {
		h := &headers[i]
		for j, v := range [...]parquet.Value{parquet.ByteArrayValue(h.Key), parquet.ByteArrayValue(h.Value), parquet.BooleanValue(h.Null)} {
			v.SetDefinitionLevel(1)
			v.SetRepetitionLevel(min(i, 1))
			b.headers[j] = append(b.headers[j], v)
		}
	}
}

// leaf returns the values of a leaf.
func (b *batch) leaf(i int) []parquet.Value {
	switch {
	case i >= leavesFixed:
		return b.typed[i-leavesFixed][:b.rows]
	case i >= leafHeaders && i < leafData:
		return b.headers[i-leafHeaders]
	}
	return b.fixed[i][:b.rows]
}

func (b *batch) reset() {
	for i := range b.typed {
		clear(b.typed[i][:min(b.rows+1, rowsAtOnce)])
	}
	b.rows = 0
	for i := range b.headers {
		b.headers[i] = b.headers[i][:0]
	}
}

// setBytes: a nil slice is null, and an empty one is not.
func setBytes(v *parquet.Value, b []byte) {
	if b == nil {
		*v = parquet.Value{}
		return
	}
	*v = parquet.ByteArrayValue(b)
	v.SetDefinitionLevel(1)
}

func setInstant(v *parquet.Value, t *int64) {
	if t == nil {
		*v = parquet.Value{}
		return
	}
	*v = parquet.Int64Value(*t)
	v.SetDefinitionLevel(1)
}
