package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// happened is an event as its producer knows it: the id, and the sum of everything else that must come back.
type happened struct {
	id  string
	sum [sha256.Size]byte
}

// happenedAs makes a happened of what producers and archive both have.
func happenedAs(id, source, typ, subject string, data []byte) happened {
	var plain bytes.Buffer
	if json.Compact(&plain, data) != nil {
		plain = *bytes.NewBuffer(data) // no JSON is as wrong as another JSON
	}
	fields := fmt.Sprintf("%q %q %q %q ", id, source, typ, subject)
	return happened{id, sha256.Sum256(append([]byte(fields), plain.Bytes()...))}
}

// lane is a partition of a topic by its name, which is all that a producer learns of it.
type lane struct {
	topic     string
	partition int32
}

// oracle knows what the archive has to hold: it heard every acknowledgement, and reads every row. It shares nothing
// with the archiver but the format of the files.
type oracle struct {
	sent  map[string]happened            // by id: everything that may be in the log
	acked map[lane]map[int64]happened    // by offset: what was acknowledged
	ids   map[lane]uuid.UUID             // topic ids of the rows
	rows  map[lane]map[int64]bool        // offsets that were read
	wrong []string                       // what was wrong when it was heard or read
	known func(topic string) (mine bool) // whether only sent events may be in the topic
}

func newOracle(stream string) *oracle {
	return &oracle{
		sent: map[string]happened{}, acked: map[lane]map[int64]happened{}, ids: map[lane]uuid.UUID{}, rows: map[lane]map[int64]bool{},
		known: func(topic string) bool { return topic == events.StreamTopic(stream) },
	}
}

func (o *oracle) fault(format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}

// send tells of an event that may reach the log, once or more often.
func (o *oracle) send(h happened) { o.sent[h.id] = h }

// acknowledge tells of an event that is promised to be in the log at a position, topic/partition/offset.
func (o *oracle) acknowledge(h happened, position string) {
	l, offset, err := parsePosition(position)
	if err != nil {
		o.fault("event %s: %v", h.id, err)
		return
	}
	if o.acked[l] == nil {
		o.acked[l] = map[int64]happened{}
	}
	if other, ok := o.acked[l][offset]; ok && other != h {
		o.fault("%s was acknowledged for %s and for %s: the log forgot one", position, other.id, h.id)
	}
	o.acked[l][offset] = h
}

func parsePosition(text string) (lane, int64, error) {
	part := strings.Split(text, "/")
	if len(part) != 3 {
		return lane{}, 0, fmt.Errorf("position %q: want topic/partition/offset", text)
	}
	partition, err := strconv.ParseInt(part[1], 10, 32)
	if err != nil {
		return lane{}, 0, fmt.Errorf("position %q: %w", text, err)
	}
	offset, err := strconv.ParseInt(part[2], 10, 64)
	if err != nil {
		return lane{}, 0, fmt.Errorf("position %q: %w", text, err)
	}
	return lane{part[0], int32(partition)}, offset, nil
}

// next returns the first offset behind all acknowledged ones.
func (o *oracle) next(l lane) int64 {
	last := int64(-1)
	for offset := range o.acked[l] {
		last = max(last, offset)
	}
	return last + 1
}

// row tells of a row of the archive.
func (o *oracle) row(l lane, topic uuid.UUID, offset int64, h happened) {
	if id, ok := o.ids[l]; ok && id != topic {
		o.fault("%s/%d has rows of two topics, %s and %s: the topic was lost and made again", l.topic, l.partition, id, topic)
		return
	}
	o.ids[l] = topic
	if o.rows[l] == nil {
		o.rows[l] = map[int64]bool{}
	}
	if o.rows[l][offset] {
		o.fault("%s/%d/%d is in the archive twice", l.topic, l.partition, offset)
	}
	o.rows[l][offset] = true
	want, promised := o.acked[l][offset]
	switch sent, ok := o.sent[h.id]; {
	case promised && want != h:
		o.fault("%s/%d/%d is another event than the one that was acknowledged: %s instead of %s", l.topic, l.partition, offset, h.id, want.id)
	case o.known(l.topic) && (!ok || sent != h):
		o.fault("%s/%d/%d holds an event that nobody sent: %s", l.topic, l.partition, offset, h.id)
	}
}

// faults lists all that is wrong once every row was told. next is where the ledger says that each partition ends.
func (o *oracle) faults(next map[lane]int64) []string {
	out := slices.Clone(o.wrong)
	for l, offsets := range o.acked {
		lost := 0
		for offset, h := range offsets {
			if !o.rows[l][offset] {
				if lost++; lost <= 5 {
					out = append(out, fmt.Sprintf("%s/%d/%d was acknowledged and is not in the archive: %s", l.topic, l.partition, offset, h.id))
				}
			}
		}
		if lost > 5 {
			out = append(out, fmt.Sprintf("%s/%d: %d acknowledged events are not in the archive", l.topic, l.partition, lost))
		}
	}
	for l, end := range next {
		// Nothing here writes transactions and no topic is compacted: every offset is a record.
		for offset := range end {
			if !o.rows[l][offset] {
				out = append(out, fmt.Sprintf("%s/%d ends at %d, but has no row for %d", l.topic, l.partition, end, offset))
				break
			}
		}
		if n := int64(len(o.rows[l])); n > end {
			out = append(out, fmt.Sprintf("%s/%d ends at %d, but has %d rows", l.topic, l.partition, end, n))
		}
	}
	return out
}

// read tells the oracle every row of the files.
func (o *oracle) read(ctx context.Context, b bucket.Bucket, files []ledger.LedgerFile) error {
	for _, f := range files {
		r, attrs, err := b.Get(ctx, f.Key, bucket.Range{})
		if err != nil {
			return fmt.Errorf("read %s: %w", f.Key, err)
		}
		body, err := io.ReadAll(r)
		_ = r.Close() // everything was read, or err says why not
		if err != nil {
			return fmt.Errorf("read %s: %w", f.Key, err)
		}
		if int64(len(body)) != attrs.Size {
			return fmt.Errorf("read %s: %d bytes of %d", f.Key, len(body), attrs.Size)
		}
		if err := o.file(f, body); err != nil {
			return fmt.Errorf("read %s: %w", f.Key, err)
		}
	}
	return nil
}

func (o *oracle) file(f ledger.LedgerFile, body []byte) error {
	l := lane{f.Topic, f.Partition.Partition}
	for row, err := range segment.Read(bytes.NewReader(body), int64(len(body))) {
		if err != nil {
			return err
		}
		if row.Partition != l.partition {
			o.fault("%s holds a row of partition %d", f.Key, row.Partition)
		}
		e := row.CloudEvent
		o.row(l, f.TopicID, row.Record.Offset, happenedAs(e.ID, e.Source, e.Type, e.Subject, e.Data))
	}
	return nil
}

// positions counts the positions that were acknowledged.
func (o *oracle) positions() int {
	n := 0
	for _, offsets := range o.acked {
		n += len(offsets)
	}
	return n
}

// again counts the rows of events whose acknowledgement was lost, so that they were sent once more.
func (o *oracle) again() int {
	n := 0
	for l, offsets := range o.acked {
		n += len(o.rows[l]) - len(offsets)
	}
	return n
}
