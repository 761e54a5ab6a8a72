package training

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// ranksDir is where the members of an attempt stand, one object a rank.
const ranksDir = "ranks.d"

// maxMember bounds what is kept of a member, in bytes.
const maxMember = 1024

// peerReaders is how many members are read at once.
const peerReaders = 8

// membership is one worker of an attempt that several execute.
type membership struct {
	Attempt  int    `json:"attempt"`
	Rank     *int   `json:"rank"` // nil: missing, and not the leader's
	Executor string `json:"executor"`
	Address  string `json:"address"`
}

// peer is what the others learn of a worker.
type peer struct {
	Rank     int    `json:"rank"`
	Executor string `json:"executor"`
	// Address is ip:port; the port is 0 where the worker takes no connections.
	Address string `json:"address"`
}

// gathering is who has come: Members lists them, by rank, once they are Complete.
type gathering struct {
	Joined   int    `json:"joined"`
	Workers  int    `json:"workers"`
	Complete bool   `json:"complete"`
	Members  []peer `json:"members"`
}

// join makes a worker the one of its rank, and says who the others are. Rank 0 is the attempt's executor. The first executor
// of a rank gets it, and keeps the address that it came with; any other hears that it is too late.
func (s *Server) join(w http.ResponseWriter, r *http.Request, id registry.RunID) error {
	body, err := httpapi.ReadJSON[membership](r, maxReport)
	if err != nil {
		return err
	}
	by, err := reporterOf(r, id, body.Attempt)
	if err != nil {
		return err
	}
	by.executor = body.Executor
	run, err := s.cfg.Runs.Run(r.Context(), id)
	if err != nil {
		return err
	}
	workers := train.Workers(run.Request)
	if err := body.check(workers); err != nil {
		return refuse(err)
	}
	rank := *body.Rank
	if err := s.admitRank(r.Context(), run, by, rank); err != nil {
		return refuse(err)
	}
	if err := s.takeRank(r.Context(), by, peer{Rank: rank, Executor: body.Executor, Address: body.Address}); err != nil {
		return refuse(err)
	}
	out, err := s.gathering(r.Context(), by, workers)
	if err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, out)
}

func (m membership) check(workers int) error {
	var fs manifest.FaultList
	rank := 0
	if m.Rank == nil {
		fs.Add("/rank", "is missing")
	} else {
		rank = *m.Rank
		fs.Check(rank >= 0 && rank < workers, "/rank", "%d: the run has %d workers, from rank 0", rank, workers)
	}
	fs.Check(executorName.MatchString(m.Executor), "/executor", "want 1 to 128 visible ASCII characters, such as a UUID")
	at, err := netip.ParseAddrPort(m.Address)
	ok := err == nil && at.Addr().Zone() == "" && !at.Addr().IsUnspecified() && !at.Addr().IsMulticast()
	fs.Check(ok, "/address", "%.100q: want ip:port of this worker, with port 0 where it takes no connections", m.Address)
	fs.Check(!ok || rank > 0 || workers == 1 || at.Port() > 0, "/address", "%.100q: the others connect to rank 0, so it needs a port", m.Address)
	return fs.Join()
}

// admitRank lets pass who belongs to the attempt under way: as rank 0 its executor, which takes it if nobody has.
func (s *Server) admitRank(ctx context.Context, run registry.Run, by reporter, rank int) error {
	if rank == 0 {
		var err error
		if run, err = s.admit(ctx, by); err != nil {
			return err
		}
	}
	if run.Attempt != by.attempt || run.State != registry.RunQueued && run.State != registry.RunRunning {
		return fmt.Errorf("run %s is %s at attempt %d: %w", run.ID, run.State, run.Attempt, registry.ErrRunMoved)
	}
	return nil
}

func rankKey(by reporter, rank int) string { return fmt.Sprintf("%s%05d", ranksPrefix(by), rank) }

func ranksPrefix(by reporter) string {
	return registry.AttemptPrefix(by.run, by.attempt) + ranksDir + "/"
}

// takeRank writes a member down: registry.ErrRunMoved where another executor has the rank.
func (s *Server) takeRank(ctx context.Context, by reporter, m peer) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = s.cfg.Bucket.Put(ctx, rankKey(by, m.Rank), bytes.NewReader(b), int64(len(b)),
		bucket.PutOptions{CreateOnly: true, ContentType: "application/json"})
	if !errors.Is(err, bucket.ErrExists) {
		return err
	}
	have, err := s.peer(ctx, rankKey(by, m.Rank))
	if err != nil {
		return err
	}
	if have.Executor != m.Executor {
		return fmt.Errorf("rank %d of run %s at attempt %d is another executor's: %w", m.Rank, by.run, by.attempt, registry.ErrRunMoved)
	}
	return nil
}

func (s *Server) peer(ctx context.Context, key string) (peer, error) {
	var m peer
	b, err := s.object(ctx, key, maxMember)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("read %s: %w", key, err)
	}
	return m, nil
}

// gathering reads who has joined. The members are read only once all have: until then nobody can do anything with them.
func (s *Server) gathering(ctx context.Context, by reporter, workers int) (gathering, error) {
	out := gathering{Workers: workers, Members: []peer{}}
	for _, err := range s.cfg.Bucket.List(ctx, ranksPrefix(by)) {
		if err != nil {
			return gathering{}, err
		}
		out.Joined++
	}
	if out.Complete = out.Joined >= workers; !out.Complete {
		return out, nil
	}
	out.Members = make([]peer, workers)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(peerReaders)
	for rank := range out.Members {
		g.Go(func() (err error) {
			out.Members[rank], err = s.peer(ctx, rankKey(by, rank))
			return err
		})
	}
	return out, g.Wait()
}
