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

// effect asks the counter before events, after them, after their duplicates, and
// after new events that came several times at once.
func effect(ctx context.Context, s *Suite) Verdict {
	events := func() []delivery {
		var all []delivery
		for _, t := range s.repeatable(ctx) {
			all = append(all, s.event(t, t.typ.Name, s.fresh(t)))
		}
		return all
	}
	v := Verdict{Kind: Pass}
	add := func(got Verdict) { // what is answered is the matter of other checks
		v.Deliveries += got.Deliveries
		v.Slowest = max(v.Slowest, got.Slowest)
	}
	first := events()
	for _, step := range []func(){
		func() {},
		func() { add(s.expect(ctx, acknowledged, slices.Values(first))) },
		func() { add(s.expect(ctx, acknowledged, slices.Values(first))) },
		func() {
			for _, d := range events() {
				add(s.atOnce(ctx, acknowledged, slices.Repeat([]delivery{d}, copies)))
			}
		},
	} {
		step()
		n, err := s.settle(ctx)
		if err != nil {
			return Verdict{Kind: Blocked, Reason: NotCounted, Err: err}
		}
		v.Counts = append(v.Counts, n)
	}
	once, again, atOnce := v.Counts[1]-v.Counts[0], v.Counts[2]-v.Counts[1], v.Counts[3]-v.Counts[2]
	switch {
	case again != 0 || atOnce != once:
		v.Kind, v.Reason = Fail, Repeated
	case once == 0:
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
