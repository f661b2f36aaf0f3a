package listen

import (
	"context"
	"runtime"
	"sync"

	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// A line is where deliveries wait to be taken. The first one in it takes all that
// wait with it: what comes at the same time is recorded by one write, and by one
// wait for the disk.
type line struct {
	mu      sync.Mutex
	waiting []*place
	spare   []*place // to be used again
	busy    bool     // somebody is taking deliveries

	batch []*webhook.Delivery // of who is busy
}

// A place is a delivery in the line.
type place struct {
	delivery *webhook.Delivery
	err      error
	turn     chan bool // true: it was taken; false: it is the first now
}

var places = sync.Pool{New: func() any { return &place{turn: make(chan bool, 1)} }}

// hand numbers the delivery and gives it to the record and the sinks. It returns
// when they have taken it.
func (s *Server) hand(d *webhook.Delivery) error {
	p, _ := places.Get().(*place)
	p.delivery, p.err = d, nil
	l := &s.line
	l.mu.Lock()
	l.waiting = append(l.waiting, p)
	first := !l.busy
	l.busy = true
	l.mu.Unlock()
	if !first {
		first = !<-p.turn
	}
	if first {
		s.takeAll(p)
	}
	err := p.err
	p.delivery = nil
	places.Put(p)
	return err
}

// takeAll takes the deliveries that are in the line, of which own is the first,
// and lets the next one be the first of those that came meanwhile.
func (s *Server) takeAll(own *place) {
	l := &s.line
	runtime.Gosched() // those that are about to come, come
	l.mu.Lock()
	all := l.waiting
	l.waiting, l.spare = l.spare, nil
	l.mu.Unlock()
	defer func() {
		for _, p := range all {
			if p != own {
				p.turn <- true
			}
		}
		clear(all)
		l.mu.Lock()
		l.spare = all[:0]
		if l.busy = len(l.waiting) > 0; l.busy {
			l.waiting[0].turn <- false
		}
		l.mu.Unlock()
	}()
	s.take(all)
}

// take records deliveries and gives them to the sinks.
func (s *Server) take(all []*place) {
	l := &s.line
	l.batch = l.batch[:0]
	for _, p := range all {
		s.LastID++
		p.delivery.ID = s.LastID
		l.batch = append(l.batch, p.delivery)
	}
	defer clear(l.batch)
	if s.Record != nil {
		if err := s.Record(l.batch); err != nil {
			for _, p := range all {
				p.err = err
			}
			return
		}
	}
	for _, p := range all {
		for _, sink := range s.Sinks {
			if p.err = sink(context.Background(), p.delivery); p.err != nil {
				break
			}
		}
	}
}
