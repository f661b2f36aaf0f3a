package load

import (
	"context"
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A schedule says when slots are due: slot i at i/rate seconds. Each time is
// reckoned from the beginning, so that rounding does not add up.
type schedule struct {
	rate  float64
	total int64 // slots
}

// newSchedule returns the schedule of what is due before duration and within
// count, where each may be 0 for no limit.
func newSchedule(rate float64, duration time.Duration, count int) schedule {
	s := schedule{rate, math.MaxInt64}
	if duration > 0 {
		s.total = s.first(duration)
	}
	if count > 0 {
		s.total = min(s.total, int64(count))
	}
	return s
}

// due returns when a slot is due, from the beginning of the run.
func (s schedule) due(slot int64) time.Duration {
	due := math.Round(float64(slot) / s.rate * float64(time.Second))
	if due >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(due)
}

// first returns the first slot that is not due before t.
func (s schedule) first(t time.Duration) int64 {
	if t <= 0 {
		return 0
	}
	slot := int64(t.Seconds() * s.rate)
	for slot > 0 && s.due(slot-1) >= t {
		slot--
	}
	for s.due(slot) < t {
		slot++
	}
	return slot
}

// A queue hands slots to workers. What waits is two numbers, however many slots
// that is, because the times are in the schedule.
type queue struct {
	schedule schedule
	most     time.Duration // for how long a slot may wait

	mu       sync.Mutex
	next     int64 // the first slot that no worker has
	released int64 // slots that are due
	dropped  int64
	closed   bool
	idle     []*worker // the one that was busy last is the next one: its connection is least likely to be stale
}

func newQueue(s schedule, most time.Duration) *queue { return &queue{schedule: s, most: most} }

// release says that the first n slots are due. Those for which a worker waits are
// handed out.
func (q *queue) release(n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.released = n
	for q.next < q.released && len(q.idle) > 0 {
		w := q.idle[len(q.idle)-1]
		q.idle = q.idle[:len(q.idle)-1]
		w.wake <- q.next
		q.next++
	}
}

// take returns the next slot for a worker, and waits for it. It returns false
// when there is none any more.
func (q *queue) take(w *worker, now time.Duration) (int64, bool) {
	q.mu.Lock()
	if q.next < q.released {
		if oldest := min(q.schedule.first(now-q.most), q.released); oldest > q.next {
			q.dropped += oldest - q.next
			q.next = oldest
		}
	}
	if q.next < q.released {
		slot := q.next
		q.next++
		q.mu.Unlock()
		return slot, true
	}
	if q.closed {
		q.mu.Unlock()
		return 0, false
	}
	q.idle = append(q.idle, w)
	q.mu.Unlock()
	slot, ok := <-w.wake
	return slot, ok
}

// end says that no more slots will be due. What waits is still handed out.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.close()
}

// abandon forgets what waits, and ends the queue. Only with drop does what it
// forgets count as dropped.
func (q *queue) abandon(drop bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if drop {
		q.dropped += q.released - q.next
	}
	q.next = q.released
	q.close()
}

// close lets idle workers go. The caller holds the lock.
func (q *queue) close() {
	q.closed = true
	for _, w := range q.idle {
		close(w.wake)
	}
	q.idle = nil
}

func (q *queue) counts() (dropped, waiting int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped, q.released - q.next
}

// A pacer releases each slot when it is due.
type pacer struct {
	run      *run
	lateness *hdrhistogram.Histogram // from when a slot was due until it was released, in ns
	timer    *time.Timer
}

func newPacer(r *run) *pacer {
	return &pacer{run: r, lateness: newHistogram(time.Minute)}
}

// pace releases all slots, or those that are due until ctx is done. It holds its
// thread, because a goroutine that has to be scheduled after it slept is late as
// soon as others are busy.
func (p *pacer) pace(ctx context.Context) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer preciseSleep()()
	defer p.run.queue.end()
	p.timer = time.NewTimer(0)
	defer p.timer.Stop()

	q := p.run.queue
	for slot := int64(0); slot < q.schedule.total; {
		if !p.sleepUntil(ctx, q.schedule.due(slot)) {
			return
		}
		now := p.run.now()
		n := slot + 1
		for n < q.schedule.total && q.schedule.due(n) <= now {
			n++
		}
		q.release(n)
		for now = p.run.now(); slot < n; slot++ {
			record(p.lateness, now-q.schedule.due(slot))
		}
	}
}

const (
	// coarse is how long before a time sleeping becomes precise: more than the
	// millisecond by which the timers of Go may be late.
	coarse = 1500 * time.Microsecond

	// spin is how long before a time sleeping is over and waiting begins.
	spin = 20 * time.Microsecond
)

// sleepUntil returns false when ctx was done before.
func (p *pacer) sleepUntil(ctx context.Context, due time.Duration) bool {
	for {
		d := due - p.run.now()
		switch {
		case d <= 0:
			return ctx.Err() == nil
		case d > 2*coarse:
			p.timer.Reset(d - coarse)
			select {
			case <-ctx.Done():
				return false
			case <-p.timer.C:
			}
		case d > spin:
			nanosleep(d - spin)
		}
	}
}
