package inspect

import (
	"slices"
	"sync"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// A store keeps the last deliveries, in the order of their IDs, and which of
// them changed lately.
type store struct {
	mu      sync.Mutex
	records ring[record]
	bytes   int // of the deliveries that records have
	light   int // records from the first one on that have only their entry

	first   uint64 // revision before the first of changes
	changes ring[uint64]
	changed chan struct{} // closed when there is another change
}

type record struct {
	entry    Entry
	delivery *webhook.Delivery // nil when it takes too much memory
	revision uint64            // of its last change
}

// A ring is a queue of bounded length.
type ring[T any] struct {
	items []T
	begin int
	size  int
	most  int
}

// push appends an item. When the ring is full the first one goes.
func (r *ring[T]) push(item T) (gone T, full bool) {
	if r.size == len(r.items) && r.size < r.most {
		grown := make([]T, min(max(2*r.size, 64), r.most))
		for i := range r.size {
			grown[i] = *r.at(i)
		}
		r.items, r.begin = grown, 0
	}
	if r.size == r.most {
		gone, full = *r.at(0), true
		r.begin = (r.begin + 1) % len(r.items)
		r.size--
	}
	r.size++
	*r.at(r.size - 1) = item
	return gone, full
}

func (r *ring[T]) at(i int) *T { return &r.items[(r.begin+i)%len(r.items)] }

func newStore() *store {
	s := &store{changed: make(chan struct{})}
	s.records.most, s.changes.most = MaxDeliveries, maxChanges
	// A page that was open before a restart has a revision of that time: one
	// that begins with the clock tells it from ours. It stays exact in
	// JavaScript.
	const perMilli = 1000
	s.first = uint64(time.Now().UnixMilli()) * perMilli
	return s
}

// revision is that of the last change. The caller holds the lock.
func (s *store) revision() uint64 { return s.first + uint64(s.changes.size) } //nolint:gosec // not negative

// change notes that the delivery with that ID has changed, and returns the
// revision. The caller holds the lock.
func (s *store) change(id uint64) uint64 {
	if _, full := s.changes.push(id); full {
		s.first++
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return s.revision()
}

// weight is about how much memory a delivery takes.
func weight(d *webhook.Delivery) int {
	if d == nil {
		return 0
	}
	n := cap(d.Body)
	for name, values := range d.Header {
		n += len(name)
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}

func (s *store) add(e Entry, d *webhook.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone, full := s.records.push(record{entry: e, delivery: d, revision: s.change(e.ID)})
	if full {
		s.bytes -= weight(gone.delivery)
		s.light = max(s.light-1, 0)
	}
	s.bytes += weight(d)
	for s.bytes > MaxBytes && s.light < s.records.size {
		r := s.records.at(s.light)
		s.bytes -= weight(r.delivery)
		r.delivery = nil
		s.light++
	}
}

// search returns the index of the first record whose ID is not below id. The
// caller holds the lock.
func (s *store) search(id uint64) int {
	low, high := 0, s.records.size
	for low < high {
		if mid := (low + high) / 2; s.records.at(mid).entry.ID < id {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// find returns the record of a delivery, or nil. The caller holds the lock.
func (s *store) find(id uint64) *record {
	if i := s.search(id); i < s.records.size && s.records.at(i).entry.ID == id {
		return s.records.at(i)
	}
	return nil
}

// get returns the delivery with that ID, and what came of it so far. The
// delivery is nil when it is not in memory.
func (s *store) get(id uint64) (*webhook.Delivery, *Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(id)
	if r == nil {
		return nil, nil
	}
	e := r.entry
	return r.delivery, &e
}

func (s *store) forwarded(id uint64, f Forward) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(id)
	if r == nil {
		return
	}
	// A new slice: the old one may be on its way to a page.
	kept := r.entry.Forwards[max(len(r.entry.Forwards)-maxForwards+1, 0):]
	r.entry.Forwards = slices.Concat(kept, []Forward{f})
	r.revision = s.change(id)
}

// before returns up to n entries with IDs below id, the newest first, and the
// present revision.
func (s *store) before(id uint64, n int) (entries []Entry, revision uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := s.search(id) - 1; i >= 0 && len(entries) < n; i-- {
		entries = append(entries, s.records.at(i).entry)
	}
	return entries, s.revision()
}

// since returns up to n entries that have changed after a revision, in the order
// of their changes, and the revision up to which they are. When it is not known
// any more what has changed, ok is false. The channel is closed at the next change.
func (s *store) since(revision uint64, n int) (entries []Entry, upTo uint64, changed <-chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if revision < s.first || revision > s.revision() {
		return nil, s.revision(), s.changed, false
	}
	for revision < s.revision() && len(entries) < n {
		id := *s.changes.at(int(revision - s.first)) //nolint:gosec // below maxChanges
		revision++
		if r := s.find(id); r != nil && r.revision == revision {
			entries = append(entries, r.entry)
		}
	}
	return entries, revision, s.changed, true
}
