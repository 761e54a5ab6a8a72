package kafka

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Protocols of consumer groups. A group is of one protocol as long as it has members.
const (
	GroupClassic  = "classic"  // a member assigns; the session timeout is the member's
	GroupConsumer = "consumer" // KIP-848: the broker assigns; the session timeout is the group's, 45 s where nobody set it
)

// Timing of group members. A killed process is replaced within about the session timeout.
const (
	sessionTimeout    = 8 * time.Second // where the configuration does not say
	minSessionTimeout = 100 * time.Millisecond
	heartbeats        = 8 // in a session
	rebalanceTimeout  = 60 * time.Second
	abandonGrace      = 2 * time.Second // for work whose context ended
	// fetchWait is how long a broker holds a request for partitions that have nothing. Those that are resumed meanwhile wait
	// with it: the client asks each broker one question at a time.
	fetchWait = 250 * time.Millisecond
)

// group is one member of a consumer group: a poll loop that only hands out, and a lane for each assigned partition.
type group struct {
	log     *slog.Logger
	server  bool // the broker assigns
	regex   bool
	except  string        // topics that regex takes and the group does not; empty for none
	session time.Duration // after which a silent member is replaced
	revoke  time.Duration // how long a revoke waits for lanes
	share   share

	mu     sync.Mutex
	lanes  map[string]map[int32]*lane
	late   map[string]map[int32]*lane // dropped before their goroutine was over
	seeks  []seek
	wakeup context.CancelFunc // ends the poll in progress
	wg     sync.WaitGroup
}

// seek asks the poll loop to read a lane from another offset.
type seek struct {
	lane   *lane
	offset int64
}

func newGroup(c Config, regex bool, revoke time.Duration) *group {
	return &group{log: c.Log, server: c.GroupProtocol == GroupConsumer, regex: regex, session: c.SessionTimeout, revoke: revoke,
		share: share{freed: make(chan struct{}, 1)}, lanes: map[string]map[int32]*lane{}, late: map[string]map[int32]*lane{}}
}

// options of the group's client. assigned is called with each new lane.
func (g *group) options(name string, topics []string, assigned func(*lane)) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.ConsumerGroup(name),
		kgo.ConsumeTopics(topics...),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(g.session),
		kgo.HeartbeatInterval(g.session / heartbeats),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.FetchMaxWait(fetchWait),
		kgo.DisableAutoCommit(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.OnPartitionsAssigned(func(_ context.Context, cl *kgo.Client, parts map[string][]int32) {
			// With the consumer protocol, a topic that was made again is assigned without its predecessor being revoked.
			g.drop(parts, g.revoke)
			for topic, list := range parts {
				for _, p := range list {
					assigned(g.add(cl, topic, p))
				}
			}
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { g.drop(parts, g.revoke) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { g.drop(parts, 0) }),
	}
	if g.regex {
		opts = append(opts, kgo.ConsumeRegex())
	}
	if g.server {
		opts = append(opts, kgo.ServerSideBalancer())
	}
	except := g.except
	if g.server && g.regex && except == "" {
		// Brokers look for new topics every 10 s at best. Excluding something makes the client do it, as often as it is told.
		except = "^$"
	}
	if except != "" {
		opts = append(opts, kgo.ConsumeExcludeTopics(except))
	}
	return opts
}

func (g *group) add(cl *kgo.Client, topic string, partition int32) *lane {
	l := newLane(cl, topic, partition)
	g.mu.Lock()
	defer g.mu.Unlock()
	l.prev, l.share = g.late[topic][partition], &g.share
	put(g.lanes, l)
	g.share.divide(cl, g.count())
	return l
}

func put(m map[string]map[int32]*lane, l *lane) {
	if m[l.topic] == nil {
		m[l.topic] = map[int32]*lane{}
	}
	m[l.topic][l.partition] = l
}

// count is called with mu held.
func (g *group) count() (n int) {
	for _, parts := range g.lanes {
		n += len(parts)
	}
	return n
}

// begin starts the goroutine of l. ctx is for work in progress: it ends only when the lane is late to stop.
func (g *group) begin(ctx context.Context, l *lane, work func(context.Context, *lane)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun || l.stopped {
		return
	}
	l.begun = true
	ctx, l.kill = context.WithCancel(ctx)
	g.wg.Go(func() {
		defer close(l.done)
		defer l.kill()
		defer l.emptied()
		if l.prev == nil || l.alone(ctx) {
			work(ctx, l)
		}
	})
}

func (g *group) lane(topic string, partition int32) *lane {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lanes[topic][partition]
}

// all returns the lanes of every assigned partition.
func (g *group) all() []*lane {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []*lane
	for _, parts := range g.lanes {
		for _, l := range parts {
			out = append(out, l)
		}
	}
	return out
}

// drop stops the lanes of parts, waits for them at most bound, then ends their work, and disowns them: none commits
// afterwards.
func (g *group) drop(parts map[string][]int32, bound time.Duration) {
	var lanes []*lane
	for topic, list := range parts {
		for _, p := range list {
			if l := g.lane(topic, p); l != nil {
				lanes = append(lanes, l)
			}
		}
	}
	g.end(lanes, bound)
}

// end is drop for lanes.
func (g *group) end(lanes []*lane, bound time.Duration) {
	for _, l := range lanes {
		l.stop()
	}
	if !finished(lanes, bound) {
		for _, l := range lanes {
			l.abandon()
		}
		finished(lanes, abandonGrace)
	}
	for _, l := range lanes {
		l.disown()
		g.remove(l)
	}
}

// finished waits for the goroutines of lanes, at most bound.
func finished(lanes []*lane, bound time.Duration) bool {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	for _, l := range lanes {
		select {
		case <-l.done:
		case <-timer.C:
			return false
		}
	}
	return true
}

// remove forgets l, but remembers a goroutine that still runs: the partition's next lane waits for it.
func (g *group) remove(l *lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lanes[l.topic][l.partition] == l {
		delete(g.lanes[l.topic], l.partition)
		g.share.divide(l.cl, g.count())
	}
	if !l.over() {
		put(g.late, l)
	} else if prev := g.late[l.topic][l.partition]; prev != nil && prev.over() {
		delete(g.late[l.topic], l.partition)
	}
}

// run polls until ctx ends.
func (g *group) run(ctx context.Context, cl *kgo.Client) {
	for ctx.Err() == nil {
		pctx, cancel := context.WithCancel(ctx)
		g.applySeeks(cl, cancel)
		g.share.await(pctx)
		fetches := cl.PollFetches(pctx)
		cancel()
		for _, f := range fetches {
			for i := range f.Topics {
				g.deliver(cl, &f.Topics[i])
			}
		}
	}
}

// deliver hands the partitions of one topic to their lanes.
func (g *group) deliver(cl *kgo.Client, t *kgo.FetchTopic) {
	for i := range t.Partitions {
		p := &t.Partitions[i]
		switch {
		case p.Err == nil, errors.Is(p.Err, kerr.OffsetOutOfRange):
		case errors.Is(p.Err, context.Canceled), errors.Is(p.Err, kgo.ErrClientClosed):
			continue
		case errors.Is(p.Err, kerr.UnknownTopicID):
			g.forget(cl, t.Topic)
			return
		default:
			g.log.Error("partition cannot be read", "topic", t.Topic, "partition", p.Partition, "error", p.Err)
		}
		l := g.lane(t.Topic, p.Partition)
		if l == nil {
			continue
		}
		if p.Err == nil && !l.identify(t.TopicID) {
			g.forget(cl, t.Topic)
			return
		}
		l.push(fetched{records: p.Records, bytes: g.share.size(p.Records), end: p.HighWatermark, err: p.Err})
	}
}

// forget makes the client drop a topic that was deleted; if it was made again it is found and assigned anew.
func (g *group) forget(cl *kgo.Client, topic string) {
	g.log.Warn("topic was deleted or made again", "topic", topic)
	cl.PurgeTopicsFromConsuming(topic)
	if !g.regex {
		cl.AddConsumeTopics(topic)
	}
}

// seek makes l continue at offset. What the poll loop already fetched for l is dropped.
func (g *group) seek(l *lane, offset int64) {
	l.mu.Lock()
	l.deaf, l.queue, l.quiet = true, nil, fetched{}
	l.share.moved(l, 0, 0)
	l.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seeks = append(g.seeks, seek{l, offset})
	if g.wakeup != nil {
		g.wakeup()
	}
}

// applySeeks runs between two polls, so nothing from the old place is on its way to a lane. wakeup ends the poll that
// comes next when another seek is asked for.
func (g *group) applySeeks(cl *kgo.Client, wakeup context.CancelFunc) {
	g.mu.Lock()
	defer g.mu.Unlock() // the partition must not change hands before its offset is set
	seeks := g.seeks
	g.seeks, g.wakeup = nil, wakeup
	for _, s := range seeks {
		s.lane.seekTo(cl, s.offset, g.lanes[s.lane.topic][s.lane.partition] == s.lane)
	}
}
