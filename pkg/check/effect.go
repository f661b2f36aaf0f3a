package check

import (
	"context"
	"slices"
	"time"
)

// How long the work of a handler may go on after its answer: a number that has not
// changed between settled readings is final, and after longest it is taken as it is.
const (
	pause   = 100 * time.Millisecond
	settled = 3
	longest = 3 * time.Second
	copies  = 5 // of each event at the same time
)

// effect asks the counter before events, after them, and after their duplicates.
func effect(ctx context.Context, s *Suite) Verdict {
	v := Verdict{Kind: Pass}
	count := func() bool {
		n, err := s.settle(ctx)
		if err != nil {
			v = Verdict{Kind: Blocked, Reason: NotCounted, Err: err}
			return false
		}
		v.Counts = append(v.Counts, n)
		return true
	}
	types := s.repeatable(ctx)
	var once []delivery
	for _, t := range types {
		once = append(once, s.event(t, t.typ.Name, s.fresh(t)))
	}
	if !count() {
		return v
	}
	first := s.expect(ctx, acknowledged, slices.Values(once))
	if !count() {
		return v
	}
	again := s.expect(ctx, acknowledged, slices.Values(once))
	for _, d := range once {
		many := s.atOnce(ctx, acknowledged, slices.Repeat([]delivery{d}, copies))
		again.Deliveries += many.Deliveries
		again.Slowest = max(again.Slowest, many.Slowest)
	}
	if !count() {
		return v
	}
	// What these deliveries are answered with is the matter of other checks.
	v.Deliveries, v.Slowest = first.Deliveries+again.Deliveries, max(first.Slowest, again.Slowest)
	switch before, after, end := v.Counts[0], v.Counts[1], v.Counts[2]; {
	case end != after:
		v.Kind, v.Reason = Fail, Repeated
	case after == before:
		v.Kind, v.Reason = Note, Uncounted
	}
	return v
}

// settle asks the counter until the number stays.
func (s *Suite) settle(ctx context.Context) (int64, error) {
	last, err := s.options.Count(ctx)
	for same, begin := 1, time.Now(); err == nil && same < settled && time.Since(begin) < longest; {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(pause):
		}
		var n int64
		if n, err = s.options.Count(ctx); n == last {
			same++
		} else {
			last, same = n, 1
		}
	}
	return last, err
}
