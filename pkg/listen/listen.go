// Package listen receives deliveries over HTTP and hands each one to sinks.
//
// It must not know the catalog, and it does not judge, print, store or forward:
// that is what sinks are for. A delivery is acknowledged after every sink has
// taken it.
package listen

import (
	"context"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// The limits of a server. JustCall documents none of its own.
const (
	// DefaultMaxBody is the longest body that is accepted, in bytes.
	DefaultMaxBody = 1 << 20

	maxHeader    = 64 << 10
	readTimeout  = 30 * time.Second // header and body
	writeTimeout = 60 * time.Second // of each part that is written, or a little less
	idleTimeout  = 2 * time.Minute
	drainTimeout = 5 * time.Second
)

// A Sink takes a delivery. It is called for one delivery at a time, in the
// order of their IDs, and must not keep the sender waiting. When it fails, the
// delivery is answered with 503, so that the sender tries again.
type Sink func(context.Context, *webhook.Delivery) error

// A Refusal is a request that did not become a delivery.
type Refusal struct {
	Time       time.Time
	RemoteAddr string
	Method     string
	URL        string
	Status     int
	Reason     string
}

// A Server accepts deliveries: POST on any path. GET and HEAD, with which
// vendors probe a URL, are answered with 200 and handed to the sinks too.
type Server struct {
	// Record, when it is set, writes deliveries down, one or some that came at
	// the same time, in the order of their IDs. It is called by one goroutine
	// at a time, before the sinks. When it fails, these deliveries are answered
	// with 503, so that their senders try again, and no sink sees them.
	Record func([]*webhook.Delivery) error

	// Sinks take every delivery, one after the other.
	Sinks []Sink

	// Decide, when it is set, says how a delivery is answered, by several
	// goroutines at a time. It may take its time; the delivery has no ID yet.
	// It is handed to the sinks all the same.
	Decide func(context.Context, *webhook.Delivery) Answer

	// LastID is the ID of the last delivery before the server was started.
	LastID uint64

	// Refused, when it is set, is told of every request that was not
	// accepted. It can be called by several goroutines.
	Refused func(Refusal)

	// MaxBody is the longest body, in bytes; 0 means [DefaultMaxBody].
	MaxBody int64

	// Now is the clock; nil means time.Now.
	Now func() time.Time

	line    line
	closing <-chan struct{} // nil, unless Serve runs
}

// An Answer says how a delivery is answered. The zero Answer acknowledges.
type Answer struct {
	// Status is the HTTP status code; 0 means 200.
	Status int

	// Header and Body are those of the answer; for a Body of nil there is none
	// with 200, and a word of the server's own with other statuses.
	Header http.Header
	Body   []byte

	// Delay is waited for after the sinks have taken the delivery.
	Delay time.Duration

	// Drop closes the connection instead of answering.
	Drop bool

	// Taken, when it is set, is called once the delivery was recorded and the
	// sinks have taken it, or with the error of that, and before it is
	// answered.
	Taken func(*webhook.Delivery, error)
}

// Serve answers requests on ln until ctx is done. Then it accepts no more,
// waits a few seconds for those that are under way, and returns nil. Any other
// end is an error. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler: s,

		DisableGeneralOptionsHandler: true,

		ReadTimeout:    readTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	// A connection on which nothing was said yet has nothing to lose: it
	// does not hold up the end.
	var silent sync.Map
	server.ConnState = func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			silent.Store(c, nil)
		case http.StateActive, http.StateClosed, http.StateHijacked:
			silent.Delete(c)
		case http.StateIdle: // it was active before
		}
	}
	s.closing = ctx.Done()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener{ln}) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	silent.Range(func(c, _ any) bool {
		if conn, ok := c.(net.Conn); ok {
			_ = conn.Close()
		}
		return true
	})
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	} else if err != nil {
		return err
	}
	return nil
}

// ServeHTTP accepts one delivery.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost, http.MethodGet, http.MethodHead:
	default:
		w.Header().Set("Allow", "POST, GET, HEAD")
		s.refuse(w, r, http.StatusMethodNotAllowed, "method not allowed, want POST")
		return
	}
	limit := s.MaxBody
	if limit == 0 {
		limit = DefaultMaxBody
	}
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close")
		s.refuse(w, r, http.StatusRequestEntityTooLarge, "body too large")
		return
	}
	src := r.Body
	if r.ContentLength < 0 {
		src = http.MaxBytesReader(w, r.Body, limit)
	}
	body, err := readBody(src, r.ContentLength)
	var tooLarge *http.MaxBytesError
	var network net.Error
	switch {
	case err == nil:
	case errors.As(err, &tooLarge):
		s.refuse(w, r, http.StatusRequestEntityTooLarge, "body too large")
		return
	case errors.As(err, &network) && network.Timeout():
		w.Header().Set("Connection", "close")
		s.refuse(w, r, http.StatusRequestTimeout, "the body took too long")
		return
	default:
		w.Header().Set("Connection", "close")
		s.refuse(w, r, http.StatusBadRequest, "the body was cut off")
		return
	}
	d := &webhook.Delivery{
		RemoteAddr: r.RemoteAddr,
		Received:   s.now(),
		Method:     r.Method,
		URL:        r.RequestURI,
		Header:     r.Header,
		Body:       body,
	}
	var answer Answer
	if s.Decide != nil {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // the request was read; a decision may take longer
		answer = s.Decide(r.Context(), d)
	}
	if answer.Status == 0 {
		answer.Status = http.StatusOK
	}
	if d.Status = answer.Status; answer.Drop {
		d.Status = 0
	}
	err = s.hand(d)
	if answer.Taken != nil {
		answer.Taken(d, err)
	}
	if err != nil {
		w.Header().Set("Retry-After", "10")
		s.refuse(w, r, http.StatusServiceUnavailable, "not recorded")
		return
	}
	s.answer(w, r, &answer)
}

// readBody reads a body of a length that may be -1, for unknown. It takes the
// sender's word for the length only as far as that costs little.
func readBody(r io.Reader, length int64) ([]byte, error) {
	const least, most = 512, 16 << 10
	b := make([]byte, 0, min(max(length+1, least), most)) // one more, for the end to be seen
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		case len(b) == cap(b):
			b = append(b, 0)[:len(b)]
		}
	}
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, a *Answer) {
	if a.Delay > 0 {
		timer := time.NewTimer(a.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		case <-s.closing:
		}
	}
	if a.Drop {
		panic(http.ErrAbortHandler)
	}
	if len(a.Header) > 0 {
		maps.Copy(w.Header(), a.Header)
	}
	switch {
	case a.Body != nil:
		w.WriteHeader(a.Status)
		_, _ = w.Write(a.Body) // a sender that is gone is no fault of ours
	case a.Status != http.StatusOK:
		http.Error(w, strings.ToLower(http.StatusText(a.Status)), a.Status)
	default:
		w.WriteHeader(http.StatusOK) // a body would cost more than the rest of the answer
	}
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, reason string) {
	if s.Refused != nil {
		s.Refused(Refusal{
			Time: s.now(), RemoteAddr: r.RemoteAddr, Method: r.Method, URL: r.RequestURI, Status: status, Reason: reason,
		})
	}
	http.Error(w, reason, status)
}
