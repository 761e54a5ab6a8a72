package e2e_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
)

var (
	chaosFor  = flag.Duration("chaos", 0, "how long TestKill kills, in rounds on new directories; 0 is one short round")
	chaosSeed = flag.Uint64("seed", 0, "seed of the first round of TestKill; 0 takes one by the clock")
)

// How often a round kills.
const (
	shortKills = 4
	longKills  = 12
)

// pace is the pause of the producer after each batch, for each kill of the round: flights must not run out before it ends.
const pace = 6 * time.Millisecond

// TestKill kills the whole process with SIGKILL while flights stream in and the loop turns, and starts it again on what
// it left. Nothing that was acknowledged may be missing at the end, nothing may be there twice.
func TestKill(t *testing.T) {
	tables, err := flights.Load(flights.TwoMonths())
	if err != nil {
		t.Fatal(err)
	}
	seed := *chaosSeed
	if seed == 0 {
		seed = uint64(time.Now().Unix())
	}
	kills := shortKills
	if *chaosFor > 0 {
		kills = longKills
	}
	for begin := time.Now(); ; seed++ {
		ok := t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { killRound(t, tables, seed, kills) })
		if !ok || time.Since(begin) >= *chaosFor {
			return
		}
	}
}

func killRound(t *testing.T, tables flights.Tables, seed uint64, kills int) {
	t.Logf("again: go test ./deploy/e2e -run TestKill -v -count=1 -args -seed=%d -chaos=%s", seed, *chaosFor)
	rng := rand.New(rand.NewPCG(seed, 0))
	hs, err := flights.Happenings(tables)
	if err != nil {
		t.Fatal(err)
	}
	loops, err := flights.PlanFor(hs, 7*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for loops.Due(loops.Loops + 1).Before(loops.End) {
		loops.Loops++ // nothing is held out
	}
	v := newVictim(t, rng)
	v.launch(t)
	moments := plan(rng, kills)
	if rng.IntN(2) == 0 { // the very first start makes the database: that may be cut short, too
		history(t, v, []moment{starting})
		moments = moments[1:]
	}
	v.ready(t)
	v.apply(t, killSpecs(t))

	client := v.exchange.client(v.Token)
	o := newOracle(flights.Stream)
	work := background(t, o, client, hs, time.Duration(kills)*pace)
	watch := work.watch(client)
	history(t, v, moments)

	v.ready(t)
	work.wait(t)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Minute, errors.New("not within five minutes"))
	defer cancel()
	s := settled{ctx: ctx, v: v, client: client, tables: tables, loops: loops, kills: kills}
	s.turns(t)
	s.caughtUp(t, o)
	s.archive(t, o)
	s.registry(t)
	watch.judge(t, s.served(t))
	t.Logf("%d events acknowledged, %d are in the log again; slowest start %s, children outlived a kill by %s at most",
		o.positions(), o.again(), v.slowest.Round(time.Millisecond), v.buried.Round(time.Millisecond))
	v.stop(t)
}

// history kills the stack at each of the moments, and launches it again.
func history(t *testing.T, v *victim, moments []moment) {
	t.Helper()
	coin := v.rng.IntN(2)
	for i, m := range moments {
		how := m.wait(t, v)
		everything := (i+coin)%2 == 0 // as often as not
		v.kill(t, everything)
		killed := time.Now()
		v.launch(t)
		v.mourn(t, killed)
		t.Logf("kill %d, %s; children killed, too: %v", i+1, how, everything)
	}
}

// killSpecs writes the example's specs, with more windows and smaller models: a kill shall meet every part of the loop.
func killSpecs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, flights.Specs); err != nil {
		t.Fatal(err)
	}
	for file, change := range map[string][]string{
		"dataset.yaml": {"every: 24d", "every: 7d"},
		"model.yaml":   {"rounds: 100", "rounds: 20", "last: 7d", "last: 2d"},
	} {
		path := filepath.Join(dir, "specs", file)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(change); i += 2 {
			if n := strings.Count(string(b), change[i]); n != 1 {
				t.Fatalf("%s says %q %d times, want 1", file, change[i], n)
			}
		}
		if err := os.WriteFile(path, []byte(strings.NewReplacer(change...).Replace(string(b))), fs.FileMode(0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "specs")
}

// workers are the clients that keep on whatever happens to the stack.
type workers struct {
	ctx      context.Context
	stop     context.CancelFunc
	all      sync.WaitGroup
	replayed chan error
}

// background replays everything, telling the oracle what was acknowledged. The oracle is the replay's until wait returns.
func background(t *testing.T, o *oracle, client *flights.Client, hs []flights.Happening, pause time.Duration) *workers {
	ctx, stop := context.WithCancel(t.Context())
	w := &workers{ctx: ctx, stop: stop, replayed: make(chan error, 1)}
	t.Cleanup(func() { w.stop(); w.all.Wait() })
	r := flights.NewReplay(client, hs)
	r.Batch = 200
	r.Sent = func(batch []flights.Happening, receipts []flights.Receipt) {
		for i, h := range batch {
			sent := happenedAs(h.Event.ID(), h.Event.Source(), h.Event.Type(), h.Event.Subject(), h.Event.Data())
			o.send(sent)
			o.acknowledge(sent, receipts[i].Position)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	w.all.Go(func() { w.replayed <- r.Until(ctx, hs[len(hs)-1].Known.Add(time.Hour)) })
	return w
}

// wait returns when everything was acknowledged.
func (w *workers) wait(t *testing.T) {
	t.Helper()
	select {
	case err := <-w.replayed:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the events are not acknowledged two minutes after the last start")
	}
}

// watcher looks at what is served, all the time.
type watcher struct {
	w     *workers
	done  chan struct{}
	last  int64
	looks int
	wrong []string
}

func (w *workers) watch(client *flights.Client) *watcher {
	x := &watcher{w: w, done: make(chan struct{})}
	w.all.Go(func() {
		defer close(x.done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-w.ctx.Done():
				return
			case <-tick.C:
				x.look(client)
			}
		}
	})
	return x
}

func (x *watcher) look(client *flights.Client) {
	g, err := servedGeneration(x.w.ctx, client)
	if err != nil || g == 0 {
		return // it is down, or has nothing to serve yet
	}
	x.looks++
	if g < x.last {
		x.wrong = append(x.wrong, fmt.Sprintf("generation %d was served after %d", g, x.last))
	}
	x.last = g
}

// judge ends the watch and fails where the served generation ever went back.
func (x *watcher) judge(t *testing.T, end int64) {
	t.Helper()
	x.w.stop()
	<-x.done
	for _, wrong := range x.wrong {
		t.Error(wrong)
	}
	if x.looks == 0 || x.last > end {
		t.Errorf("%d looks at what is served, the last at generation %d; the end is %d", x.looks, x.last, end)
	}
}
