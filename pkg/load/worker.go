package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
)

// readBuffer is how much is read of a connection at a time, in bytes.
const readBuffer = 8 << 10

// What the state of a worker is when it is not the time at which its request
// began.
const (
	idle     = 0
	expired  = -1 // the request took too long
	canceled = -2 // the run is over
)

// A worker has one connection, on which it makes one request at a time, and what
// was measured of them.
type worker struct {
	run  *run
	id   int
	wake chan int64 // slots, from the queue

	buf    []byte
	reader *bufio.Reader

	// state is one of the states, or when the request under way began, in
	// nanoseconds since the beginning of the run. Who ends a request, for the
	// worker is done or it took too long, changes it from the latter.
	state atomic.Int64

	mu   sync.Mutex // for the change of conn, and for setting its deadline
	conn net.Conn   // nil: none

	sent, ok atomic.Int64 // for [Snapshot]
	measured
}

// measured is what one worker measures.
type measured struct {
	latency  sample
	service  sample // only with a rate: without one it is the latency
	statuses map[int]int64
	errors   map[deliver.Class]int64
	events   map[string]*EventCount
	event    string // the last one
	count    *EventCount
	bytes    int64
	lastSent time.Duration
}

func newWorker(r *run, id int, longest time.Duration) *worker {
	w := &worker{run: r, id: id, wake: make(chan int64, 1), reader: bufio.NewReaderSize(nil, readBuffer)}
	w.measured = measured{
		latency:  newSample(longest),
		statuses: map[int]int64{}, errors: map[deliver.Class]int64{}, events: map[string]*EventCount{},
	}
	if r.queue != nil {
		w.service = newSample(longest)
	}
	return w
}

// work makes requests until there is nothing more to do.
func (w *worker) work(ctx context.Context) {
	defer w.hangUp()
	r := w.run
	if q := r.queue; q != nil {
		var end time.Duration
		for {
			slot, ok := q.take(w, end)
			if !ok {
				return
			}
			end = w.request(ctx, q.schedule.due(slot))
		}
	}
	for !r.stop.Load() && (r.Count == 0 || r.left.Add(-1) >= 0) {
		w.request(ctx, -1)
	}
}

// request makes one request, and returns when it ended. Its latency counts from
// due, or from its own beginning when that is negative.
func (w *worker) request(ctx context.Context, due time.Duration) time.Duration {
	req := w.run.Next(w.id)
	begin := w.run.now()
	if due < 0 {
		due = begin
	}
	var status int
	err := w.build(&req)
	if err == nil {
		status, err = w.exchange(ctx, begin)
	}
	class := w.settle(ctx, begin, err)
	end := w.run.now()
	if class == deliver.Canceled {
		w.errors[class]++
		return end
	}
	w.lastSent = begin
	w.latency.record(end - due)
	if w.run.queue != nil {
		w.service.record(end - begin)
	}
	if req.Event != w.event || w.count == nil {
		w.event = req.Event
		if w.count = w.events[w.event]; w.count == nil {
			w.count = new(EventCount)
			w.events[w.event] = w.count
		}
	}
	w.count.Sent++
	if err != nil {
		w.errors[class]++
	} else {
		w.statuses[status]++
		if status/100 == 2 {
			w.count.OK++
			w.ok.Add(1)
		}
	}
	w.sent.Add(1)
	return end
}

// settle ends the request that began then, and returns the class of its error. A
// connection after an error, or after the deadline was set, is of no use.
func (w *worker) settle(ctx context.Context, begin time.Duration, err error) deliver.Class {
	state := int64(idle)
	if !w.state.CompareAndSwap(stateOf(begin), idle) {
		state = w.state.Swap(idle)
	}
	if err == nil && state == idle {
		return ""
	}
	w.hangUp()
	switch {
	case err == nil:
		return ""
	case state == canceled, ctx.Err() != nil:
		return deliver.Canceled
	case state == expired:
		return deliver.Timeout
	}
	return deliver.Classify(err)
}

// stateOf is the state of a worker whose request began then.
func stateOf(begin time.Duration) int64 { return int64(begin) + 1 }

// build makes the request in the buffer: one write sends it.
func (w *worker) build(req *Request) error {
	buf := w.buf[:0]
	buf = append(buf, w.run.head...)
	for name, value := range req.Header {
		if err := checkField(name, value); err != nil {
			return err
		}
		buf = appendField(buf, name, value)
	}
	buf = append(buf, "Content-Length: "...)
	buf = strconv.AppendInt(buf, int64(len(req.Body)), 10)
	buf = append(buf, "\r\n\r\n"...)
	buf = append(buf, req.Body...)
	w.buf = buf
	return nil
}

// exchange sends what is in the buffer and reads the response. When the server has
// closed a connection that was used before, which is its right while nothing is
// under way, the request is sent once more on another.
func (w *worker) exchange(ctx context.Context, begin time.Duration) (status int, err error) {
	w.state.Store(stateOf(begin))
	if w.conn != nil && w.reader.Buffered() > 0 {
		w.hangUp() // it said something that nobody asked for
	}
	reused := w.conn != nil
	for {
		if w.conn == nil {
			err = w.dial(ctx, begin)
			if err != nil {
				return 0, err
			}
		}
		var began, reuse bool
		if status, reuse, began, err = w.roundTrip(); err == nil {
			if !reuse {
				w.hangUp()
			}
			return status, nil
		}
		if began || !reused || w.state.Load() < 0 {
			return 0, err
		}
		w.hangUp()
		reused = false
	}
}

// roundTrip says also whether the connection can be used again, and whether there
// was the beginning of a response.
func (w *worker) roundTrip() (status int, reuse, began bool, err error) {
	n, sendErr := w.conn.Write(w.buf)
	w.bytes += int64(n)
	// A server may answer and close before it has read all.
	if _, err = w.reader.Peek(1); err != nil {
		if sendErr != nil {
			err = sendErr
		}
		return 0, false, false, err
	}
	if status, reuse, err = readResponse(w.reader); errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return status, reuse && sendErr == nil, true, err
}

// dial makes the connection. It may take as long as the whole request.
func (w *worker) dial(ctx context.Context, begin time.Duration) error {
	t := &w.run.target
	ctx, cancel := context.WithDeadline(ctx, w.run.epoch.Add(begin+w.run.Timeout))
	defer cancel()
	conn, err := t.dialer.DialContext(ctx, "tcp", t.address)
	if err != nil {
		return err
	}
	if t.tls != nil {
		secure := tls.Client(conn, t.tls)
		if err = secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close() // nothing was said on it
			return err
		}
		conn = secure
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn = conn
	w.reader.Reset(conn)
	return nil
}

// hangUp closes the connection if there is one. Under TLS it does not say goodbye,
// for which a server that does not read could keep it waiting.
func (w *worker) hangUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	conn := w.conn
	if conn == nil {
		return
	}
	w.conn = nil
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	_ = conn.Close() // what was wanted of it has been read
}

// expire ends the request under way if it has taken longer than most, or in any
// case when all is set. It returns when the worker has to be looked at again. A
// request that is dialling has a deadline of its own.
func (w *worker) expire(now, most time.Duration, all bool) time.Duration {
	state := w.state.Load()
	if state <= 0 {
		return now + most
	}
	end, why := time.Duration(state-1)+most, int64(expired)
	if all {
		why = canceled
	} else if end > now {
		return end
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil && w.state.CompareAndSwap(state, why) {
		_ = w.conn.SetDeadline(longAgo) // the request fails in any case
	}
	return end
}

// longAgo is a deadline that is over.
var longAgo = time.Unix(1, 0)

// A sample is a distribution of times, of which the extremes and the sum are exact.
type sample struct {
	histogram *hdrhistogram.Histogram
	max, sum  time.Duration
}

func newSample(longest time.Duration) sample { return sample{histogram: newHistogram(longest)} }

// newHistogram returns a histogram of times from a microsecond up to longest, with
// three digits.
func newHistogram(longest time.Duration) *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(time.Microsecond), int64(longest), 3)
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(int64(d), 0), h.HighestTrackableValue())) // it cannot fail within the bounds
}

func (s *sample) record(d time.Duration) {
	record(s.histogram, d)
	s.max = max(s.max, d)
	s.sum += d
}

func (s *sample) add(o *sample) {
	s.histogram.Merge(o.histogram)
	s.max = max(s.max, o.max)
	s.sum += o.sum
}
