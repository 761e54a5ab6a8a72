package flights

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/consumers/evaluate"
)

// lateMinutes is what the label means by late.
const lateMinutes = 15

// Forecast is one answer with what really happened.
type Forecast struct {
	Flight  *Flight
	Answer  Answer
	Row     Features
	Latency time.Duration
}

// Late reports whether the flight arrived 15 minutes or more behind schedule.
func (f Forecast) Late() bool { return f.Flight.ArrivalDelay >= lateMinutes }

// Predict replays the rest of the events and asks the tag at each departure, with what the desk knows at that moment.
// Flights that never arrive have no truth to compare with and are left out of the result.
func (r *Replay) Predict(ctx context.Context, clients int) ([]Forecast, error) {
	var mu sync.Mutex
	var out []Forecast
	for !r.Done() {
		part := r.hs[r.next:min(r.next+r.Batch, len(r.hs))]
		asked := r.ask(part)
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(clients)
		for _, f := range asked {
			g.Go(func() error {
				begin := time.Now()
				a, err := r.Client.PredictOne(gctx, TagName, f.Row)
				if err != nil {
					return fmt.Errorf("predict %s: %w", f.Flight.ID, err)
				}
				f.Answer, f.Latency = a, time.Since(begin)
				mu.Lock()
				defer mu.Unlock()
				out = append(out, f)
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		if err := r.publish(ctx, part); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(out, func(f Forecast) bool { return f.Flight.Arrival.IsZero() }), nil
}

// ask lets the desk see part event by event and returns the rows of its departures.
func (r *Replay) ask(part []Happening) []Forecast {
	var asked []Forecast
	for _, h := range part {
		r.Desk.See(h)
		if h.Event.Type() == TypeDeparted {
			asked = append(asked, Forecast{Flight: h.Flight, Row: r.Desk.Row(h.Flight)})
		}
	}
	return asked
}

// Quality is how good forecasts were, beside the naive guess: the later a flight leaves, the likelier it arrives late.
type Quality struct {
	Flights   int
	Late      int
	Model     map[string]float64 // auc, log_loss, brier, accuracy
	Naive     map[string]float64 // auc, accuracy of "left 15 minutes late, so arrives late"
	P50, P99  time.Duration
	ByPackage map[string]int
}

// Judge compares forecasts with what happened.
func Judge(fs []Forecast) Quality {
	q := Quality{Flights: len(fs), ByPackage: map[string]int{}, Naive: map[string]float64{}}
	var scores, delays []float64
	var labels []bool
	var took []time.Duration
	right := 0
	for _, f := range fs {
		scores, delays = append(scores, f.Answer.Probability), append(delays, f.Flight.DepartureDelay)
		labels, took = append(labels, f.Late()), append(took, f.Latency)
		q.ByPackage[f.Answer.Package]++
		if f.Late() {
			q.Late++
		}
		if (f.Flight.DepartureDelay >= lateMinutes) == f.Late() {
			right++
		}
	}
	q.Model = evaluate.Metrics(scores, labels)
	if v, ok := evaluate.Area(delays, labels); ok {
		q.Naive[evaluate.AUC] = v
	}
	if len(fs) > 0 {
		q.Naive[evaluate.Accuracy] = float64(right) / float64(len(fs))
		slices.Sort(took)
		q.P50, q.P99 = took[len(took)/2], took[len(took)*99/100]
	}
	return q
}
