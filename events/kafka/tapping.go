package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox-ml/signalbox/events"
)

// maxAsking bounds how many partitions ask the sink for their start at the same time.
const maxAsking = 8

// tapping is one run of a Tap.
type tapping struct {
	cfg    TapConfig
	tel    *telemetry
	group  *group
	sink   events.Sink
	asking chan struct{} // holds one for each call of Sink.Assigned
	ready  chan struct{} // closed once adm is set
	adm    *kadm.Client
}

// assign replaces the group's committed offsets by what the sink says. The client calls it between assignment and the
// first fetch; ctx ends when the group rebalances, and then it is called again for what is still assigned. The leader
// epoch is cleared: the sink's offset is from no epoch that the client could check.
func (s *tapping) assign(ctx, work context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	topics := make([]string, 0, len(offsets))
	for topic := range offsets {
		topics = append(topics, topic)
	}
	ids, err := s.ids(ctx, topics)
	if err != nil {
		return nil, err
	}
	for topic, parts := range offsets {
		for p := range parts {
			if l := s.group.lane(topic, p); l != nil {
				l.identify(ids[topic])
				s.group.begin(work, l, s.serve)
			}
		}
	}
	for topic, parts := range offsets {
		for p := range parts {
			l := s.group.lane(topic, p)
			if l == nil {
				delete(parts, p) // revoked meanwhile
				continue
			}
			select {
			case <-l.known:
				parts[p] = kgo.NewOffset().At(l.position()).WithEpoch(-1)
			case <-l.stopping:
				delete(parts, p)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	return offsets, nil
}

// ids asks for topic ids until all are known or ctx ends.
func (s *tapping) ids(ctx context.Context, topics []string) (map[string][16]byte, error) {
	for try := 1; ; try++ {
		ids, err := topicIDs(ctx, s.adm, topics)
		if err == nil {
			for _, t := range topics {
				if ids[t] == ([16]byte{}) {
					err = fmt.Errorf("topic %s has no id yet", t)
				}
			}
		}
		if err == nil {
			return ids, nil
		}
		s.cfg.Log.WarnContext(ctx, "topic ids not known, partitions wait", "error", err)
		if err := sleep(ctx, backoff(s.cfg.BackoffMin, s.cfg.BackoffMax, try)); err != nil {
			return nil, err
		}
	}
}

// serve is the goroutine of a lane.
func (s *tapping) serve(ctx context.Context, l *lane) {
	next, assigned := s.claim(ctx, l)
	if !assigned {
		return
	}
	l.moved(next)
	close(l.known)
	for {
		f, ok := l.take(min(s.cfg.IdleInterval, time.Second))
		if !ok {
			break
		}
		err := s.deliver(ctx, l, f)
		if err == nil {
			continue
		}
		s.cfg.Log.ErrorContext(ctx, "sink failed, the partition is assigned again", "topic", l.topic, "partition", l.partition, "error", err)
		if next, assigned = s.reclaim(ctx, l); !assigned {
			return
		}
		l.moved(next)
		s.group.seek(l, next)
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Drain)
	defer cancel()
	s.sink.Revoked(ctx, l.tp())
}

// claim asks the sink where to start, with back-off, until it answers or the lane stops.
func (s *tapping) claim(ctx context.Context, l *lane) (int64, bool) {
	for try := 1; ; try++ {
		next, err := s.ask(ctx, l)
		if err == nil {
			return next, true
		}
		s.cfg.Log.WarnContext(ctx, "sink gives no start, the partition waits", "topic", l.topic, "partition", l.partition, "error", err)
		if !l.sleep(backoff(s.cfg.BackoffMin, s.cfg.BackoffMax, try)) {
			return 0, false
		}
	}
}

// reclaim is claim after an error of the sink: not at once, or a sink that always fails would spin.
func (s *tapping) reclaim(ctx context.Context, l *lane) (int64, bool) {
	l.emptied()
	if !l.sleep(backoff(s.cfg.BackoffMin, s.cfg.BackoffMax, l.failed())) {
		return 0, false
	}
	return s.claim(ctx, l)
}

// ask asks the sink once. Only a few partitions ask at the same time.
func (s *tapping) ask(ctx context.Context, l *lane) (int64, error) {
	select {
	case s.asking <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-s.asking }()
	next, err := s.sink.Assigned(ctx, l.tp())
	if err == nil && next < 0 {
		err = fmt.Errorf("sink answered offset %d", next)
	}
	return next, err
}

// deliver gives one fetch to the sink.
func (s *tapping) deliver(ctx context.Context, l *lane, f fetched) error {
	switch {
	case f.idle:
		return s.sink.Records(ctx, l.tp(), nil, f.end, f.end)
	case errors.Is(f.err, kerr.OffsetOutOfRange):
		return s.outOfRange(ctx, l)
	case f.err != nil:
		l.rest(time.Second)
		return nil //nolint:nilerr // the fetch is tried again after the rest
	}
	recs, next := convert(f.records, l.position())
	if len(recs) == 0 {
		f.end = max(f.end, next+1) // it may have waited, with an end of long ago: it must not pass for news that nothing is behind it
	}
	if err := s.sink.Records(ctx, l.tp(), recs, next, f.end); err != nil {
		return err
	}
	s.tel.consumed.Add(ctx, int64(len(recs)), metric.WithAttributes(on(l.topic)))
	l.moved(next)
	return nil
}

// outOfRange finds out why the broker has no record at the lane's position, and goes on where the sink says.
func (s *tapping) outOfRange(ctx context.Context, l *lane) error {
	start, end, err := s.bounds(ctx, l)
	if err != nil {
		return err
	}
	from := l.position()
	switch {
	case from > end:
		// Not retention: the log ends before what was already delivered. Any guess would lose or double records, so the
		// partition waits for somebody to look.
		s.cfg.Log.ErrorContext(ctx, "the log is shorter than what was read from it: kafka lost data", "topic", l.topic,
			"partition", l.partition, "offset", from, "log_start", start, "log_end", end)
		if l.sleep(s.cfg.BackoffMax) {
			s.group.seek(l, from)
		}
		return nil
	case from >= start:
		s.group.seek(l, from) // in range by now
		return nil
	}
	next, err := s.sink.Lost(ctx, l.tp(), start)
	if err == nil && next < start {
		err = fmt.Errorf("sink answered offset %d, before the log's start %d", next, start)
	}
	if err != nil {
		return err
	}
	l.moved(next)
	s.group.seek(l, next)
	return nil
}

// bounds returns the first offset of the lane's log and the one after the last.
func (s *tapping) bounds(ctx context.Context, l *lane) (start, end int64, err error) {
	starts, err1 := s.adm.ListStartOffsets(ctx, l.topic)
	ends, err2 := s.adm.ListEndOffsets(ctx, l.topic)
	if err := errors.Join(err1, err2); err != nil {
		return 0, 0, fmt.Errorf("bounds of %s/%d: %w", l.topic, l.partition, err)
	}
	first, ok1 := starts.Lookup(l.topic, l.partition)
	last, ok2 := ends.Lookup(l.topic, l.partition)
	if err := errors.Join(first.Err, last.Err); err != nil || !ok1 || !ok2 {
		return 0, 0, fmt.Errorf("bounds of %s/%d are not known: %v", l.topic, l.partition, err)
	}
	return first.Offset, last.Offset, nil
}

// watchEnds asks for the ends of quiet partitions and tells those that are caught up.
func (s *tapping) watchEnds(ctx context.Context) {
	tick := time.NewTicker(s.cfg.IdleInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		quiet := map[string][]*lane{}
		var topics []string
		for _, l := range s.group.all() {
			if !l.isQuiet() {
				continue
			}
			if quiet[l.topic] == nil {
				topics = append(topics, l.topic)
			}
			quiet[l.topic] = append(quiet[l.topic], l)
		}
		if len(topics) == 0 {
			continue
		}
		at := time.Now()
		ends, err := s.adm.ListEndOffsets(ctx, topics...)
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "partition ends not known", "error", err)
		}
		for _, lanes := range quiet {
			for _, l := range lanes {
				if end, ok := ends.Lookup(l.topic, l.partition); ok && end.Err == nil {
					l.caughtUp(end.Offset, at)
				}
			}
		}
	}
}

// convert makes neutral records of a fetch, without control records, and returns the offset after the last of either kind.
func convert(in []*kgo.Record, next int64) ([]events.Record, int64) {
	out := make([]events.Record, 0, len(in))
	for _, r := range in {
		next = r.Offset + 1
		if r.Attrs.IsControl() {
			continue
		}
		out = append(out, events.Record{Offset: r.Offset, Key: r.Key, Value: r.Value, Headers: headers(r.Headers), AppendTime: r.Timestamp})
	}
	return out, next
}

// headers are the same in memory under both names; where they were not, the conversion of the pointer would not compile.
func headers(hs []kgo.RecordHeader) []events.RecordHeader {
	return unsafe.Slice((*events.RecordHeader)(unsafe.SliceData(hs)), len(hs))
}

// sleep waits for d or returns ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
