package load

import (
	"math/big"
	"testing"
	"time"
)

// The schedule is that of exact arithmetic, rounded: there is no drift, and the
// slots are evenly spaced to the nanosecond.
func TestScheduleEven(t *testing.T) {
	for _, rate := range []float64{0.1, 1, 3, 7, 333.25, 1000, 1234.5, 5000, 44100, MaxRate} {
		s := newSchedule(rate, 0, 0)
		interval := float64(time.Second) / rate
		exact := new(big.Rat).SetFloat64(rate)
		exact.Quo(big.NewRat(int64(time.Second), 1), exact)
		for _, from := range []int64{0, 1, 1000, 999_999, 100_000_000} {
			if float64(from)*interval > float64(1000*time.Hour) {
				continue
			}
			last := s.due(from)
			for slot := from + 1; slot < from+2000; slot++ {
				due := s.due(slot)
				if gap := float64(due - last); gap < interval-1.01 || gap > interval+1.01 {
					t.Fatalf("rate %v: slot %d comes %vns after the one before, want %v", rate, slot, gap, interval)
				}
				last = due
			}
			want, _ := new(big.Rat).Mul(exact, big.NewRat(from+1999, 1)).Float64()
			if off := float64(last) - want; off < -1 || off > 1 {
				t.Errorf("rate %v: slot %d has drifted by %vns", rate, from+1999, off)
			}
		}
	}
}

func TestScheduleTotal(t *testing.T) {
	for _, tt := range []struct {
		rate     float64
		duration time.Duration
		count    int
		want     int64
	}{
		{5000, 10 * time.Second, 0, 50000},
		{5000, 10 * time.Second, 7, 7},
		{5000, time.Millisecond, 7, 5},
		{3, time.Second, 0, 3},
		{3, time.Second + 1, 0, 4},
		{0.1, time.Second, 0, 1},
		{1, 1, 0, 1},
		{1000, 0, 9, 9},
	} {
		if got := newSchedule(tt.rate, tt.duration, tt.count).total; got != tt.want {
			t.Errorf("%v: got %d", tt, got)
		}
	}
}

func TestScheduleFirst(t *testing.T) {
	for _, rate := range []float64{0.3, 7, 1234.5, MaxRate} {
		s := newSchedule(rate, 0, 0)
		for slot := range int64(1000) {
			due := s.due(slot)
			if got := s.first(due); got != slot {
				t.Fatalf("rate %v: first at slot %d is %d", rate, slot, got)
			}
			if got := s.first(due + 1); got != slot+1 {
				t.Fatalf("rate %v: first after slot %d is %d", rate, slot, got)
			}
		}
	}
}

// Slots are given out in their order, once each, and those that are too old are
// dropped.
func TestQueue(t *testing.T) {
	q := newQueue(newSchedule(1000, 0, 0), 10*time.Millisecond)
	take := func(now time.Duration, want int64) {
		t.Helper()
		if slot, ok := q.take(nil, now); !ok || slot != want {
			t.Errorf("got slot %d, %v, want %d", slot, ok, want)
		}
	}
	check := func(dropped, waiting int64) {
		t.Helper()
		if d, w := q.counts(); d != dropped || w != waiting {
			t.Errorf("%d are dropped and %d wait, want %d and %d", d, w, dropped, waiting)
		}
	}
	q.release(3)
	take(2*time.Millisecond, 0)
	take(2*time.Millisecond, 1)
	q.release(31)
	check(0, 29)
	take(30*time.Millisecond, 20) // 2 to 19 were due more than 10 ms ago
	check(18, 10)

	w := &worker{wake: make(chan int64, 1)}
	q.release(32)
	for slot := int64(21); slot < 32; slot++ {
		take(30*time.Millisecond, slot)
	}
	done := make(chan int64)
	go func() {
		slot, _ := q.take(w, 31*time.Millisecond)
		done <- slot
	}()
	for idle := 0; idle == 0; time.Sleep(time.Millisecond) {
		q.mu.Lock()
		idle = len(q.idle)
		q.mu.Unlock()
	}
	q.release(40)
	if slot := <-done; slot != 32 {
		t.Errorf("the worker that waited got %d", slot)
	}
	check(18, 7)
	q.end()
	take(33*time.Millisecond, 33)
	q.abandon(true)
	check(24, 0)
	if slot, ok := q.take(w, 0); ok {
		t.Errorf("got slot %d of a queue that has ended", slot)
	}
}
