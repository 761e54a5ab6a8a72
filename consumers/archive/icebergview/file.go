package icebergview

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apache/iceberg-go"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// errHours reports a file that is in no partition, which no archiver writes.
var errHours = errors.New("rows were appended in several hours")

// url is what readers call an object.
func (p *Publisher) url(key string) string { return p.root() + key }

func (p *Publisher) root() string { return "s3://" + p.cfg.BucketName + "/" }

// dataFile says of a file what the ledger knows of it, so that no file has to be read.
func (p *Publisher) dataFile(spec iceberg.PartitionSpec, f ledger.LedgerFile) (iceberg.DataFile, error) {
	hour := f.MinSeen.Unix() / 3600
	if f.MaxSeen.Unix()/3600 != hour {
		return nil, fmt.Errorf("%s, %s to %s: %w", f.Key, f.MinSeen, f.MaxSeen, errHours)
	}
	b, err := iceberg.NewDataFileBuilder(spec, iceberg.EntryContentData, p.url(f.Key), iceberg.ParquetFile,
		map[int]any{hourField: int32(hour)}, nil, nil, f.Rows, f.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Key, err)
	}
	k := known{low: map[int][]byte{}, high: map[int][]byte{}, values: map[int]int64{}, nulls: map[int]int64{}}
	if err := k.of(f); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Key, err)
	}
	return b.LowerBoundValues(k.low).UpperBoundValues(k.high).ValueCounts(k.values).NullValueCounts(k.nulls).Build(), nil
}

// gone names a file that leaves a table; nothing else of it matters.
func gone(spec iceberg.PartitionSpec, url string) (iceberg.DataFile, error) {
	b, err := iceberg.NewDataFileBuilder(spec, iceberg.EntryContentData, url, iceberg.ParquetFile, map[int]any{hourField: int32(0)}, nil, nil, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return b.Build(), nil
}

// known is what is known of columns.
type known struct {
	low, high     map[int][]byte
	values, nulls map[int]int64
}

func (k *known) of(f ledger.LedgerFile) error {
	first, last := partitions(f)
	faults := []error{
		k.full(f, columnPartition, iceberg.Int32Literal(first), iceberg.Int32Literal(last)),
		k.full(f, columnOffset, iceberg.Int64Literal(f.Start), iceberg.Int64Literal(f.End-1)),
		k.full(f, columnAppendTime, timestamp(f.MinSeen), timestamp(f.MaxSeen)),
	}
	if f.Type != ledger.TypeOther && f.Type != ledger.TypeMixed {
		faults = append(faults, k.full(f, columnType, iceberg.StringLiteral(f.Type), iceberg.StringLiteral(f.Type)))
	}
	// Both are zero where no event has a time.
	if !f.MinTime.IsZero() || !f.MaxTime.IsZero() {
		faults = append(faults, k.between(columnTime, timestamp(f.MinTime), timestamp(f.MaxTime)))
	}
	return errors.Join(faults...)
}

// full is for a column that every row has.
func (k *known) full(f ledger.LedgerFile, column int, low, high iceberg.Literal) error {
	k.values[column], k.nulls[column] = f.Rows, 0
	return k.between(column, low, high)
}

func (k *known) between(column int, low, high iceberg.Literal) (err error) {
	if k.low[column], err = low.MarshalBinary(); err != nil {
		return err
	}
	k.high[column], err = high.MarshalBinary()
	return err
}

func timestamp(t time.Time) iceberg.Literal { return iceberg.TimestampLiteral(t.UnixMicro()) }

// partitions returns the least and the greatest partition of a file's rows.
func partitions(f ledger.LedgerFile) (first, last int32) {
	if len(f.Spans) == 0 {
		return f.Partition.Partition, f.Partition.Partition
	}
	first, last = f.Spans[0].Partition, f.Spans[0].Partition
	for _, s := range f.Spans {
		first, last = min(first, s.Partition), max(last, s.Partition)
	}
	return first, last
}

// name makes a table's name of a topic's: engines take no others without quotes.
func name(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(s))
}
