package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// wholeWeight is the sum of a tag's weights.
const wholeWeight = 10000

// One is the value of a tag that sends all traffic to one package.
func One(pkg cas.Digest) []Arm { return []Arm{{Package: pkg, Weight: wholeWeight}} }

// Promote moves a tag by compare-and-swap: ErrTagMoved with the current state if the tag is not where p expects it. The
// time of the move is now, whatever p.At says; without an Op it is always a new move.
func (r *Registry) Promote(ctx context.Context, p TagMove) (TagState, error) {
	if err := r.checkPromotion(ctx, p); err != nil {
		return TagState{}, fmt.Errorf("promote %s: %w", p.Tag, err)
	}
	cur, err := r.catalog.Tag(ctx, p.Tag)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return TagState{}, fmt.Errorf("promote %s: %w", p.Tag, err)
	}
	if cur.Generation < p.Expect {
		// Not an optimisation: somebody might move the tag to Expect right now, and the event would name a value as the
		// previous one that is two generations old.
		return cur, fmt.Errorf("promote %s: it is at generation %d: %w", p.Tag, cur.Generation, ErrTagMoved)
	}
	at := now()
	if at.Before(cur.At) { // another process's clock is ahead; history reads in order
		at = cur.At
	}
	ev, err := r.event(ctx, events.TypeTagMoved, p.Tag.String(), p.Tag.String()+"/"+strconv.FormatInt(p.Expect+1, 10), at,
		events.TagMoved{
			Tag: p.Tag.String(), Generation: p.Expect + 1, Previous: eventArms(cur.Arms), Next: eventArms(p.Arms),
			Actor: p.Actor, Reason: p.Reason, Evidence: text(p.Evidence),
		})
	if err != nil {
		return TagState{}, fmt.Errorf("promote %s: %w", p.Tag, err)
	}
	// Where the tag is past Expect, only a repeat gets through, and a repeat writes no event.
	p.Op, p.At = cmp.Or(p.Op, uuid.NewString()), at
	s, err := r.catalog.MoveTag(ctx, p, ev)
	if err != nil {
		return s, fmt.Errorf("promote %s: %w", p.Tag, err)
	}
	return s, nil
}

func (r *Registry) checkPromotion(ctx context.Context, p TagMove) error {
	if err := errors.Join(CheckName(string(p.Tag.Model)), CheckName(p.Tag.Name)); err != nil {
		return invalid("/tag", "%v", err)
	}
	if p.Actor == "" || p.Expect < 0 {
		return invalid("", "want an actor, and a generation to expect that is not negative")
	}
	sum := 0
	seen := map[cas.Digest]bool{}
	for i, a := range p.Arms {
		at := "/arms/" + strconv.Itoa(i)
		if a.Weight < 1 || a.Weight > wholeWeight || seen[a.Package] {
			return invalid(at, "want a weight of 1 to %d, and each package once", wholeWeight)
		}
		sum += a.Weight
		seen[a.Package] = true
		if _, err := r.catalog.Package(ctx, a.Package); errors.Is(err, ErrNotFound) {
			return invalid(at+"/package", "%s is not published", a.Package)
		} else if err != nil {
			return err
		}
	}
	if sum != wholeWeight {
		return invalid("/arms", "the weights add up to %d: want %d", sum, wholeWeight)
	}
	return nil
}

func eventArms(arms []Arm) []events.Arm {
	out := make([]events.Arm, len(arms))
	for i, a := range arms {
		out[i] = events.Arm{Package: a.Package.String(), Weight: a.Weight}
	}
	return out
}

// RollbackRequest brings an earlier value of a tag back.
type RollbackRequest struct {
	Tag    Tag
	To     int64 // generation whose value comes back; 0: the one before the current
	Expect int64 // generation that the tag must stand at
	Actor  string
	Reason string
	Op     string // as in TagMove
}

// Rollback makes a new generation that is equal to an earlier one: ErrTagMoved with the current state if the tag is not
// where q expects it, ErrNotFound if there was no such generation.
func (r *Registry) Rollback(ctx context.Context, q RollbackRequest) (TagState, error) {
	h, err := r.catalog.TagHistory(ctx, q.Tag)
	if err != nil {
		return TagState{}, fmt.Errorf("roll back %s: %w", q.Tag, err)
	}
	to := cmp.Or(q.To, q.Expect-1)
	if to < 1 || to > int64(len(h)) {
		return TagState{}, fmt.Errorf("roll back %s to generation %d: %w", q.Tag, to, ErrNotFound)
	}
	old := h[to-1]
	return r.Promote(ctx, TagMove{
		Tag: q.Tag, Expect: q.Expect, Arms: old.Arms, Actor: q.Actor, Reason: cmp.Or(q.Reason, fmt.Sprintf("back to generation %d", to)),
		Evidence: old.Evidence, Op: q.Op,
	})
}

// Resolve returns a tag as it stands.
func (r *Registry) Resolve(ctx context.Context, t Tag) (TagState, error) {
	return r.catalog.Tag(ctx, t)
}

// History returns every generation of a tag, oldest first.
func (r *Registry) History(ctx context.Context, t Tag) ([]TagState, error) {
	return r.catalog.TagHistory(ctx, t)
}

// HistoryAsOf returns a tag as it stood at a moment: ErrNotFound if it did not exist.
func (r *Registry) HistoryAsOf(ctx context.Context, t Tag, at time.Time) (TagState, error) {
	h, err := r.catalog.TagHistory(ctx, t)
	if err != nil {
		return TagState{}, err
	}
	for i := len(h) - 1; i >= 0; i-- {
		if !h[i].At.After(at) {
			return h[i], nil
		}
	}
	return TagState{}, fmt.Errorf("tag %s at %s: %w", t, at.Format(time.RFC3339), ErrNotFound)
}
