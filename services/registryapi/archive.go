package registryapi

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// archive says what the archive has of each topic, or of ?topic=.
func (s *Server) archive(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "topic")
	if err != nil {
		return err
	}
	// Files first: a flush in between makes the offsets newer than the figures, never the figures newer.
	files, err := s.cfg.Ledger.Files(r.Context(), ledger.FileQuery{Topic: q.Get("topic")})
	if err != nil {
		return err
	}
	states, err := s.cfg.Ledger.Partitions(r.Context(), q.Get("topic"))
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, struct {
		Topics []remote.ArchivedTopic `json:"topics"`
	}{topicsOf(states, files)})
}

// topicsOf joins partitions, which come by topic, with what their files hold; files of several partitions count for the topic.
// Those of an earlier topic of the same name count for nothing: they are of other offsets.
func topicsOf(states []ledger.PartitionState, files []ledger.LedgerFile) []remote.ArchivedTopic {
	type place struct {
		id        uuid.UUID
		partition int32
	}
	held := map[place]remote.ArchivedFiles{}
	for _, f := range files {
		at := place{f.TopicID, f.Partition.Partition}
		sum := held[at]
		sum.Files, sum.Rows, sum.Bytes = sum.Files+1, sum.Rows+f.Rows, sum.Bytes+f.Bytes
		held[at] = sum
	}
	out := []remote.ArchivedTopic{}
	for _, st := range states {
		if n := len(out); n == 0 || out[n-1].TopicID != st.TopicID {
			out = append(out, remote.ArchivedTopic{
				Topic: st.Topic, TopicID: st.TopicID, Stream: events.StreamOf(st.Topic), Several: held[place{st.TopicID, ledger.Several}],
			})
		}
		own := held[place{st.TopicID, st.Partition.Partition}]
		last := &out[len(out)-1]
		last.Partitions = append(last.Partitions, remote.ArchivedPartition{
			Partition: st.Partition.Partition, Next: st.Next, Epoch: st.Epoch, Files: own.Files, Rows: own.Rows, Bytes: own.Bytes,
			Through: orNull(st.ArchivedThrough), EventTime: orNull(st.EventTime), CaughtUp: st.CaughtUp, Updated: st.Updated,
		})
	}
	return out
}

// orNull is null for a time that is not known yet.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
