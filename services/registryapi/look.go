package registryapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

// look finds the event of a prediction in one archive file: segment.ErrNotFound if it is not there.
func (s *Server) look(ctx context.Context, f ledger.LedgerFile, id string) (remote.ArchivedPrediction, error) {
	b, err := s.read(ctx, f.File)
	if err != nil {
		return remote.ArchivedPrediction{}, fmt.Errorf("read %s: %w", f.Key, err)
	}
	row, err := segment.Find(bytes.NewReader(b), int64(len(b)), id)
	if err != nil {
		return remote.ArchivedPrediction{}, fmt.Errorf("search %s: %w", f.Key, err)
	}
	var made events.PredictionMade
	if row.CloudEvent.Type != events.TypePredictionMade {
		return remote.ArchivedPrediction{}, fmt.Errorf("search %s: the event is a %.100q: %w", f.Key, row.CloudEvent.Type, segment.ErrNotFound)
	}
	if err := json.Unmarshal(row.CloudEvent.Data, &made); err != nil {
		return remote.ArchivedPrediction{}, fmt.Errorf("prediction at offset %d of %s: %w", row.Record.Offset, f.Key, err)
	}
	pkg, err := cas.Parse(made.Package)
	if err != nil {
		return remote.ArchivedPrediction{}, fmt.Errorf("prediction at offset %d of %s: package: %w", row.Record.Offset, f.Key, err)
	}
	return remote.ArchivedPrediction{
		ID: id, Made: row.CloudEvent.Time, Model: registry.ModelName(made.Model), Tag: made.Tag, Generation: made.Generation, Package: pkg,
		Topic: f.Topic, Partition: row.Partition, Offset: row.Record.Offset, File: f.Key,
	}, nil
}

// read fetches a whole archive file and wants its bytes to be those that the ledger promises: a damaged one might still
// read as Parquet.
func (s *Server) read(ctx context.Context, f ledger.File) ([]byte, error) {
	body, _, err := s.cfg.Bucket.Get(ctx, f.Key, bucket.Range{})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, f.Bytes+1))
	if err != nil {
		return nil, err
	}
	if got := cas.Sum(b); got != f.Digest {
		return nil, fmt.Errorf("%d bytes that hash to %s, want %s: %w", len(b), got, f.Digest, cas.ErrCorrupt)
	}
	return b, nil
}
