// Package load delivers many payloads to one URL, at a steady rate or as fast as
// can be, and measures.
//
// With a rate it is an open loop: the times at which requests are due are fixed
// before the first one is sent, and a latency counts from then, so that a server
// that stalls cannot hide it by keeping the next requests from being sent.
//
// It speaks HTTP/1.1 itself, one request at a time per connection, and uses no
// proxy. It must not know the catalog or printing: payloads are given to it, and
// what it measured is a [Summary] of facts.
package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
)

const (
	// DefaultConcurrency is how many connections there are at most, unless
	// [Options.Concurrency] says otherwise.
	DefaultConcurrency = 64

	// MaxResponse is how much of a response body is read, in bytes. A
	// connection on which there is more is closed.
	MaxResponse = 1 << 20

	// Grace is for how long requests under way are waited for when the context
	// is done, and for how long slots that wait are still sent when
	// [Options.Duration] is over.
	Grace = time.Second

	// MaxRate is the highest rate that can be asked for, in requests per
	// second.
	MaxRate = 1e6

	// MaxConcurrency is the most connections that can be asked for.
	MaxConcurrency = 1 << 16

	progressInterval = 200 * time.Millisecond
)

// A Request is one payload.
type Request struct {
	// Event is the type by which requests are counted.
	Event string

	// Body is sent as it is. It is not looked at any more when the same worker
	// asks for its next request.
	Body []byte

	// Header has fields of this request, which stand beside those of
	// [Options.Header]. A request with one that cannot be sent (line ends, or
	// a field about the length of the body) fails.
	Header map[string]string
}

// Options say what is delivered, where to and how fast. URL and Next have to be
// given.
type Options struct {
	// URL is where requests go, http or https.
	URL *url.URL

	// Header has fields of every request. Content-Type: application/json is
	// added unless the field is there; there with no value, it is left out. A
	// Host takes the place of that of the URL.
	Header map[string][]string

	// UserAgent is the User-Agent unless Header has one.
	UserAgent string

	// Rate is how many requests per second are due, over all connections
	// together; 0 means that each connection sends the next one as soon as it
	// has the answer to the last.
	Rate float64

	// Duration is for how long requests are due; 0 means without limit.
	Duration time.Duration

	// Count is how many requests are due; 0 means without limit.
	Count int

	// Concurrency is how many connections there are at most; 0 means
	// [DefaultConcurrency].
	Concurrency int

	// Timeout bounds a request, from dialling to the end of the response; 0
	// means [deliver.DefaultTimeout]. A slot that nobody was free to send for as
	// long as that is dropped.
	Timeout time.Duration

	// Insecure accepts any certificate.
	Insecure bool

	// Next returns the next payload. It is called by many goroutines at a time,
	// but never by two with the same worker, which counts from 0 to
	// Concurrency-1.
	Next func(worker int) Request

	// Progress, when it is set, is told about five times a second how far the
	// run is, always by the same goroutine.
	Progress func(Snapshot)
}

// A Snapshot says how far a run is.
type Snapshot struct {
	Elapsed time.Duration
	Sent    int64 // requests that were completed or failed
	OK      int64 // those with a 2xx
	Dropped int64 // slots that were not sent, as far as they are known
	Waiting int64 // slots that are due and wait for a connection
}

// Run delivers until Count requests were due, Duration is over, or the context
// is done, and returns what was measured. A context that is done is not an
// error: nothing more is sent then, requests under way are waited for up to
// [Grace], and those that are not answered by then are counted as
// [deliver.Canceled] and nowhere else.
//
// With a rate, slots that are due wait for a free connection in their order. One
// that has waited for longer than Timeout is dropped, and so is what still waits
// [Grace] after Duration.
//
// Failures of requests are not errors of Run; options that make no sense are.
func Run(ctx context.Context, o Options) (*Summary, error) {
	r, err := newRun(o)
	if err != nil {
		return nil, err
	}
	return r.run(ctx), nil
}

// A run is what the goroutines of one [Run] share.
type run struct {
	Options
	target  target
	head    []byte
	epoch   time.Time
	workers []*worker
	queue   *queue // nil: without a rate

	left atomic.Int64 // requests that may be begun without a rate
	stop atomic.Bool  // nothing more is begun without a rate
}

// A target is where connections go to.
type target struct {
	address string
	tls     *tls.Config // nil: none
	dialer  net.Dialer
}

func newRun(o Options) (*run, error) {
	if o.Timeout == 0 {
		o.Timeout = deliver.DefaultTimeout
	}
	if o.Concurrency == 0 {
		o.Concurrency = DefaultConcurrency
	}
	switch {
	case o.URL == nil:
		return nil, errors.New("there is no URL")
	case o.Next == nil:
		return nil, errors.New("there are no payloads")
	case math.IsNaN(o.Rate) || o.Rate < 0 || o.Rate > MaxRate:
		return nil, fmt.Errorf("the rate is %v per second, want 0 to %d", o.Rate, int(MaxRate))
	case o.Duration < 0:
		return nil, fmt.Errorf("the duration is %v, want 0 or more", o.Duration)
	case o.Count < 0:
		return nil, fmt.Errorf("the count is %d, want 0 or more", o.Count)
	case o.Concurrency < 0 || o.Concurrency > MaxConcurrency:
		return nil, fmt.Errorf("the concurrency is %d, want 1 to %d", o.Concurrency, MaxConcurrency)
	case o.Timeout < 0:
		return nil, fmt.Errorf("the timeout is %v, want more than 0", o.Timeout)
	}
	head, err := requestHead(o.URL, o.Header, o.UserAgent)
	if err != nil {
		return nil, err
	}
	r := &run{Options: o, head: head, target: newTarget(o.URL, o.Insecure)}
	if o.Count > 0 {
		r.Concurrency = min(r.Concurrency, o.Count)
		r.left.Store(int64(o.Count))
	} else {
		r.left.Store(math.MaxInt64)
	}
	if o.Rate > 0 {
		r.queue = newQueue(newSchedule(o.Rate, o.Duration, o.Count), o.Timeout)
	}
	longest := max(2*o.Timeout+2*Grace, time.Minute) // a slot may wait, and then the request
	for i := range r.Concurrency {
		r.workers = append(r.workers, newWorker(r, i, longest))
	}
	return r, nil
}

func newTarget(u *url.URL, insecure bool) target {
	t := target{}
	port := u.Port()
	if u.Scheme == "https" {
		t.tls = &tls.Config{
			ServerName:         u.Hostname(),
			NextProtos:         []string{"http/1.1"},
			InsecureSkipVerify: insecure, //nolint:gosec // only where it is asked for
			ClientSessionCache: tls.NewLRUClientSessionCache(0),
		}
		if port == "" {
			port = "443"
		}
	} else if port == "" {
		port = "80"
	}
	t.address = net.JoinHostPort(u.Hostname(), port)
	return t
}

// now is the time since the run began.
func (r *run) now() time.Duration { return time.Since(r.epoch) }

func (r *run) run(ctx context.Context) *Summary {
	// Dialling may go on for a while after ctx is done, as requests may.
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r.epoch = time.Now()

	var workers sync.WaitGroup
	for _, w := range r.workers {
		workers.Go(func() { w.work(hard) })
	}
	var rest sync.WaitGroup
	done := make(chan struct{})
	rest.Go(func() { r.expire(hard, done) })
	if r.Progress != nil {
		rest.Go(func() { r.tell(done) })
	}
	pacing, endPacing := context.WithCancel(ctx)
	defer endPacing()
	pacer := newPacer(r)
	if r.queue != nil {
		rest.Go(func() { pacer.pace(pacing) })
	}
	finished := make(chan struct{})
	go func() {
		workers.Wait()
		close(finished)
	}()

	stopped := r.wait(ctx, finished, cancel)
	<-finished
	elapsed := r.now()
	endPacing()
	close(done)
	rest.Wait()
	return r.summary(pacer, min(stopped, elapsed), elapsed)
}

// wait returns when all workers have finished, or will without being told so, and
// says when nothing more was due. It cancels requests that take too long after
// ctx is done.
func (r *run) wait(ctx context.Context, finished <-chan struct{}, cancel func()) time.Duration {
	var end, late <-chan time.Time
	if r.Duration > 0 {
		end = time.After(r.Duration - r.now())
	}
	stopped := time.Duration(math.MaxInt64)
	for {
		select {
		case <-finished:
			return stopped
		case <-end:
			stopped = r.Duration
			r.stop.Store(true)
			end, late = nil, time.After(Grace)
		case <-late:
			late = nil
			if r.queue != nil {
				r.queue.abandon(true)
			}
		case <-ctx.Done():
			stopped = min(stopped, r.now())
			r.stop.Store(true)
			if r.queue != nil {
				r.queue.abandon(false)
			}
			select {
			case <-finished:
			case <-time.After(Grace):
				cancel()
			}
			return stopped
		}
	}
}

// expire ends requests that have taken longer than the timeout, and, when hard is
// done, all. It stands in for a timer per request, which would be among the dearest
// things of a request: it sleeps until the oldest request is due to end, and one
// that begins meanwhile is due later.
func (r *run) expire(hard context.Context, done <-chan struct{}) {
	const again = 10 * time.Millisecond // for those that were dialling when all were canceled
	timer := time.NewTimer(r.Timeout)
	defer timer.Stop()
	canceled := hard.Done()
	for {
		select {
		case <-done:
			return
		case <-timer.C:
		case <-canceled:
			canceled = nil
		}
		now, all := r.now(), hard.Err() != nil
		next := now + r.Timeout
		for _, w := range r.workers {
			next = min(next, w.expire(now, r.Timeout, all))
		}
		if all {
			next = now + again
		}
		timer.Reset(max(next-now, time.Millisecond))
	}
}

func (r *run) tell(done <-chan struct{}) {
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			s := Snapshot{Elapsed: r.now()}
			for _, w := range r.workers {
				s.Sent += w.sent.Load()
				s.OK += w.ok.Load()
			}
			if r.queue != nil {
				s.Dropped, s.Waiting = r.queue.counts()
			}
			r.Progress(s)
		}
	}
}
