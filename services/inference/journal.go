package inference

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/signalbox-ml/signalbox/events"
)

// Bounds of what waits to become events.
const (
	maxJournal     = 4096     // answers
	maxJournalRows = 100_000  // rows of them
	maxJournalSize = 64 << 20 // bytes of them
)

// journal turns answers into prediction events, away from the requests. What does not fit is dropped and counted.
type journal struct {
	cfg   Config
	met   metrics
	queue chan entry
	rows  atomic.Int64
	bytes atomic.Int64
}

// entry is one answer. It owns its bytes.
type entry struct {
	span       trace.SpanContext
	at         time.Time
	took       time.Duration
	model, tag string
	generation int64
	pkg        string
	key        string
	ids        []uuid.UUID
	outputs    [][]byte
	inputs     [][]byte // nil where the policy keeps none
	size       int64
}

func newJournal(cfg Config, met metrics) *journal {
	return &journal{cfg: cfg, met: met, queue: make(chan entry, maxJournal)}
}

// record notes an answer without waiting.
func (j *journal) record(ctx context.Context, a *asked, sc *scratch, ids []uuid.UUID) {
	if j.cfg.Recorder == nil || len(ids) == 0 {
		return
	}
	e := entry{
		span: trace.SpanContextFromContext(ctx), at: time.Now(), took: time.Since(a.begin),
		model: string(a.pkg.about.Model), generation: a.generation, pkg: a.pkg.id.String(), key: a.key, ids: ids,
	}
	if a.generation > 0 {
		e.model, e.tag = string(a.tag.Model), a.tag.String()
	}
	keep := a.pkg.logInputs.Load()
	e.size = int64(len(sc.out))
	if keep {
		e.size += int64(len(sc.body))
	}
	rows, size := j.rows.Add(int64(len(ids))), j.bytes.Add(e.size)
	if rows > maxJournalRows || size > maxJournalSize {
		j.settle(e)
		j.count("dropped", len(ids))
		return
	}
	e.outputs = cut(sc.out, sc.spans)
	if keep {
		e.inputs = cut(sc.body, sc.rows.Spans)
	}
	select {
	case j.queue <- e:
	default:
		j.settle(e)
		j.count("dropped", len(ids))
	}
}

// cut copies spans of b.
func cut(b []byte, spans [][2]int) [][]byte {
	out := make([][]byte, len(spans))
	if len(spans) == 0 {
		return out
	}
	first := spans[0][0]
	own := append([]byte(nil), b[first:spans[len(spans)-1][1]]...)
	for i, s := range spans {
		out[i] = own[s[0]-first : s[1]-first]
	}
	return out
}

// settle gives an entry's room back.
func (j *journal) settle(e entry) {
	j.rows.Add(-int64(len(e.ids)))
	j.bytes.Add(-e.size)
}

func (j *journal) count(outcome string, n int) {
	j.met.records.Add(context.Background(), int64(n), metric.WithAttributes(attribute.String("outcome", outcome)))
}

// run hands events over until over is closed and nothing is left, at most for the drain's time.
func (j *journal) run(over <-chan struct{}) {
	for {
		select {
		case e := <-j.queue:
			j.publish(e)
		case <-over:
			j.drain(time.Now().Add(j.cfg.Drain))
			return
		}
	}
}

func (j *journal) drain(end time.Time) {
	for time.Now().Before(end) {
		select {
		case e := <-j.queue:
			j.publish(e)
		default:
			return
		}
	}
}

// publish makes an event of each row.
func (j *journal) publish(e entry) {
	defer j.settle(e)
	ctx := trace.ContextWithSpanContext(context.Background(), e.span)
	taken := 0
	for i, id := range e.ids {
		data := events.PredictionMade{
			PredictionID: id.String(), Model: e.model, Tag: e.tag, Generation: e.generation, Package: e.pkg,
			Output: json.RawMessage(e.outputs[i]), LatencyUS: e.took.Microseconds(), Key: e.key,
		}
		if e.inputs != nil {
			data.Inputs = json.RawMessage(e.inputs[i])
		}
		ev, err := events.New(events.TypePredictionMade, j.cfg.Origin, data.PredictionID, data.PredictionID, e.at, data)
		if err != nil {
			j.cfg.Log.Error("prediction event not made", "error", err)
			continue
		}
		events.WithTrace(ctx, &ev)
		if j.cfg.Recorder.TryPublish(ev) {
			taken++
		}
	}
	if taken > 0 {
		j.count("handed_over", taken)
	}
	if lost := len(e.ids) - taken; lost > 0 {
		j.count("dropped", lost)
	}
}
