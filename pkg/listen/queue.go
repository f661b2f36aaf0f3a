package listen

import (
	"context"
	"sync"

	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// A Queue is a sink that never waits: it keeps deliveries in memory for a
// consumer that may be slower than the senders, such as a terminal. It has no
// bound, so that no delivery is lost; a consumer that stands still costs the
// memory of what arrives meanwhile.
type Queue struct {
	mu      sync.Mutex
	changed sync.Cond
	waiting []*webhook.Delivery
	closed  bool
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
	q.waiting = append(q.waiting, d)
	q.changed.Signal()
	return nil
}

// Close says that nothing more will be put.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

// Each calls take with all deliveries that wait, in their order, again and
// again, until the queue is closed and empty. It stops at the first error.
func (q *Queue) Each(take func([]*webhook.Delivery) error) error {
	for {
		q.mu.Lock()
		for len(q.waiting) == 0 && !q.closed {
			q.changed.Wait()
		}
		batch := q.waiting
		q.waiting = nil
		q.mu.Unlock()
		if len(batch) == 0 {
			return nil
		}
		if err := take(batch); err != nil {
			return err
		}
	}
}
