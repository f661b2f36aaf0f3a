package deliver

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// A Schedule says when a delivery that was not acknowledged is tried again.
type Schedule struct {
	// Name is what the schedule is called.
	Name string

	// Source is where it was published.
	Source string

	// Again reports whether an outcome makes for another attempt.
	Again func(*Outcome) bool

	// Waits are the shortest and the longest time before each further
	// attempt.
	Waits [][2]time.Duration
}

// Schedules are those that JustCall publishes. Its pages disagree; of the two,
// the developer portal is the vendor's own.
var Schedules = []Schedule{
	{
		Name: "developer", Source: "developer portal, auto-retry-on-delivery-failure",
		Again: func(o *Outcome) bool {
			return o.Err == nil && slices.Contains([]int{
				http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable,
				http.StatusGatewayTimeout, http.StatusTooManyRequests,
			}, o.Status)
		},
		Waits: slices.Repeat([][2]time.Duration{{30 * time.Second, 90 * time.Second}}, 4),
	},
	{
		Name: "help-center", Source: "help centre, webhooks-overview",
		Again: func(o *Outcome) bool { return o.Err != nil || o.Status != http.StatusOK },
		Waits: [][2]time.Duration{
			{time.Minute, time.Minute},
			{5 * time.Minute, 5 * time.Minute},
			{15 * time.Minute, 15 * time.Minute},
			{30 * time.Minute, 30 * time.Minute},
			{time.Hour, time.Hour},
		},
	},
}

// Attempts is how often a delivery is made at the most.
func (s *Schedule) Attempts() int { return len(s.Waits) + 1 }

// Run calls try, with the number of the attempt from 1 on, until the outcome is
// one that is not tried again, the attempts are used up, or ctx is done. Before it
// waits it calls waiting with the time until the next attempt, which is divided
// by speed; a speed of 0 waits for nothing. Chance says, from 0 to 1, where between
// its bounds a wait is. It returns the last outcome.
func (s *Schedule) Run(ctx context.Context, speed float64, chance func() float64, try func(attempt int) Outcome, waiting func(next int, wait time.Duration)) Outcome {
	for attempt := 1; ; attempt++ {
		o := try(attempt)
		if attempt == s.Attempts() || o.Class == Canceled || !s.Again(&o) {
			return o
		}
		bounds := s.Waits[attempt-1]
		wait := bounds[0] + time.Duration(chance()*float64(bounds[1]-bounds[0]))
		if speed == 0 {
			wait = 0
		} else {
			wait = time.Duration(float64(wait) / speed)
		}
		waiting(attempt+1, wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Outcome{Class: Canceled, Err: ctx.Err()}
		}
	}
}
