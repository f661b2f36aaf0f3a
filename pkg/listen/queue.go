package listen

import (
	"context"
	"sync"

	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// A Queue is a sink that never waits: it keeps deliveries for a consumer that
// may be slower than the senders, such as a terminal or another server. Its
// memory is bounded; what does not fit goes to a [Spill], and where there is
// none, or it fails, it is lost to this consumer.
type Queue struct {
	// MaxBytes is how much waits in memory, about; 0 means [DefaultQueue].
	MaxBytes int

	// Spill takes what does not fit into memory; it may be nil.
	Spill Spill

	// Lost, when it is set, is told of each delivery that is lost, and of the
	// error of the spill, which is nil where there is none. It must not call
	// the queue.
	Lost func(*webhook.Delivery, error)

	mu      sync.Mutex
	changed sync.Cond
	waiting []*webhook.Delivery
	bytes   int // of what is waiting
	spilled int // deliveries in Spill
	woken   bool
	closed  bool
}

// DefaultQueue is how much a [Queue] keeps in memory, in bytes.
const DefaultQueue = 16 << 20

// A Spill keeps deliveries in their order. Put and Reset are not called at the
// same time; Take may be called while Put is.
type Spill interface {
	Put(*webhook.Delivery) error

	// Take returns the next deliveries, some at least as long as there are
	// any.
	Take() ([]*webhook.Delivery, error)

	// Reset forgets everything.
	Reset() error
}

// NewQueue returns an empty queue.
func NewQueue() *Queue {
	q := new(Queue)
	q.changed.L = &q.mu
	return q
}

// Put is the [Sink]. It never fails.
func (q *Queue) Put(_ context.Context, d *webhook.Delivery) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	limit := q.MaxBytes
	if limit == 0 {
		limit = DefaultQueue
	}
	size := footprint(d)
	switch {
	case q.spilled == 0 && (q.bytes == 0 || q.bytes+size <= limit):
		q.waiting = append(q.waiting, d)
		q.bytes += size
	case q.Spill == nil:
		q.lose(d, nil)
		return nil
	default:
		if err := q.Spill.Put(d); err != nil {
			q.lose(d, err)
			return nil
		}
		q.spilled++
	}
	q.changed.Signal()
	return nil
}

func (q *Queue) lose(d *webhook.Delivery, err error) {
	if q.Lost != nil {
		q.Lost(d, err)
	}
}

// footprint is about how much memory a delivery takes.
func footprint(d *webhook.Delivery) int {
	const fixed, field = 512, 64 // bytes, for what is not counted
	n := fixed + cap(d.Body) + len(d.URL)
	for name, values := range d.Header {
		n += field + len(name)
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}

// Close says that nothing more will be put.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

// Wake makes Each call its function, even if nothing waits.
func (q *Queue) Wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.woken = true
	q.changed.Signal()
}

// Each calls take with all deliveries that wait, in their order, again and
// again, until the queue is closed and empty. The slice is good until take
// returns. Each stops at the first error of take or of the spill.
func (q *Queue) Each(take func([]*webhook.Delivery) error) error {
	var batch []*webhook.Delivery
	for {
		q.mu.Lock()
		for len(q.waiting) == 0 && q.spilled == 0 && !q.closed && !q.woken {
			q.changed.Wait()
		}
		clear(batch)
		batch, q.waiting = q.waiting, batch[:0]
		q.bytes = 0
		woken, spilled := q.woken, q.spilled > 0
		q.woken = false
		q.mu.Unlock()
		if len(batch) == 0 && spilled {
			var err error
			if batch, err = q.unspill(); err != nil {
				return err
			}
		}
		if len(batch) == 0 && !woken {
			return nil
		}
		if err := take(batch); err != nil {
			return err
		}
	}
}

// unspill takes deliveries back from the spill.
func (q *Queue) unspill() ([]*webhook.Delivery, error) {
	batch, err := q.Spill.Take()
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spilled -= len(batch); q.spilled == 0 {
		err = q.Spill.Reset()
	}
	return batch, err
}
