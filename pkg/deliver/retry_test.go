package deliver_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
)

func schedule(t *testing.T, name string) *deliver.Schedule {
	t.Helper()
	i := slices.IndexFunc(deliver.Schedules, func(s deliver.Schedule) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no schedule %s", name)
	}
	return &deliver.Schedules[i]
}

// The whole of each schedule, in its own time.
func TestSchedules(t *testing.T) {
	answers := func(statuses ...int) []deliver.Outcome {
		var all []deliver.Outcome
		for _, status := range statuses {
			class := deliver.Status
			if status/100 == 2 {
				class = deliver.OK
			}
			all = append(all, deliver.Outcome{Status: status, Class: class})
		}
		return all
	}
	const m = time.Minute
	for _, tt := range []struct {
		name, schedule string
		speed, chance  float64
		outcomes       []deliver.Outcome
		times          []time.Duration // of the attempts
	}{
		{"help centre to the end", "help-center", 1, 0.5, answers(500, 404, 301, 429, 503, 500, 200), []time.Duration{0, m, 6 * m, 21 * m, 51 * m, 111 * m}},
		{"help centre, acknowledged", "help-center", 1, 0, answers(500, 200), []time.Duration{0, m}},
		{"help centre wants 200", "help-center", 1, 0, answers(201, 200), []time.Duration{0, m}},
		{"help centre, no answer", "help-center", 1, 0, []deliver.Outcome{{Class: deliver.Refused, Err: errTest}, {Class: deliver.OK, Status: 200}}, []time.Duration{0, m}},
		{"developer to the end, quick", "developer", 1, 0, answers(500, 502, 503, 504, 429, 200), []time.Duration{0, m / 2, m, 3 * m / 2, 2 * m}},
		{"developer to the end, slow", "developer", 1, 1, answers(500, 502, 503, 504, 429, 200), []time.Duration{0, 3 * m / 2, 3 * m, 9 * m / 2, 6 * m}},
		{"developer, a bad request", "developer", 1, 0, answers(400), []time.Duration{0}},
		{"developer, another 5xx", "developer", 1, 0, answers(501), []time.Duration{0}},
		{"developer, any 2xx", "developer", 1, 0, answers(204), []time.Duration{0}},
		{"compressed", "help-center", 60, 0, answers(500, 500, 200), []time.Duration{0, m / 60, 6 * m / 60}},
		{"at once", "help-center", 0, 0, answers(500, 500, 200), []time.Duration{0, 0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var times []time.Duration
				var announced time.Duration
				o := schedule(t, tt.schedule).Run(t.Context(), tt.speed, func() float64 { return tt.chance }, func(attempt int) deliver.Outcome {
					times = append(times, time.Since(begin))
					if attempt != len(times) {
						t.Errorf("attempt %d is called %d", len(times), attempt)
					}
					if times[attempt-1] != announced {
						t.Errorf("attempt %d is at %v, announced for %v", attempt, times[attempt-1], announced)
					}
					return tt.outcomes[attempt-1]
				}, func(next int, wait time.Duration) {
					if next != len(times)+1 {
						t.Errorf("attempt %d is announced as %d", len(times)+1, next)
					}
					announced = time.Since(begin) + wait
				})
				if !slices.Equal(times, tt.times) {
					t.Errorf("attempts at %v, want %v", times, tt.times)
				}
				if last := tt.outcomes[len(tt.times)-1]; o.Status != last.Status || o.Class != last.Class {
					t.Errorf("ended with %+v, want %+v", o, last)
				}
			})
		})
	}
}

func TestScheduleCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begin, attempts := time.Now(), 0
		o := schedule(t, "help-center").Run(ctx, 1, func() float64 { return 0 }, func(int) deliver.Outcome {
			attempts++
			return deliver.Outcome{Class: deliver.Status, Status: 500}
		}, func(int, time.Duration) {})
		if o.Class != deliver.Canceled || attempts != 1 || time.Since(begin) != 10*time.Second {
			t.Errorf("got %+v after %d attempts and %v", o, attempts, time.Since(begin))
		}
	})
}
