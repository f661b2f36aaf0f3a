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

	maxHeader         = 64 << 10
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second // header and body
	writeTimeout      = 60 * time.Second // from the end of the header
	idleTimeout       = 2 * time.Minute
	drainTimeout      = 5 * time.Second
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
	// Sinks take every delivery, one after the other.
	Sinks []Sink

	// Decide, when it is set, says with which status a delivery is answered,
	// by several goroutines at a time. It is handed to the sinks all the same.
	Decide func(*webhook.Delivery) int

	// Settle, when it is set, is called after the sinks have taken a delivery
	// and before it is answered, by several goroutines at a time. When it
	// fails, the answer is 503.
	Settle func() error

	// LastID is the ID of the last delivery before the server was started.
	LastID uint64

	// Refused, when it is set, is told of every request that was not
	// accepted. It can be called by several goroutines.
	Refused func(Refusal)

	// MaxBody is the longest body, in bytes; 0 means [DefaultMaxBody].
	MaxBody int64

	// Now is the clock; nil means time.Now.
	Now func() time.Time

	mu sync.Mutex
}

// Serve answers requests on ln until ctx is done. Then it accepts no more,
// waits a few seconds for those that are under way, and returns nil. Any other
// end is an error. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	// A connection on which nothing was said yet has nothing to lose: it
	// does not hold up the end.
	var silent sync.Map
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			silent.Store(c, nil)
		} else {
			silent.Delete(c)
		}
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
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
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
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
		Method:     r.Method,
		URL:        r.RequestURI,
		Header:     r.Header,
		Body:       body,
	}
	d.Status = http.StatusOK
	if s.Decide != nil {
		d.Status = s.Decide(d)
	}
	err = s.hand(r.Context(), d)
	if err == nil && s.Settle != nil {
		err = s.Settle()
	}
	if err != nil {
		w.Header().Set("Retry-After", "10")
		s.refuse(w, r, http.StatusServiceUnavailable, "not recorded")
		return
	}
	if d.Status != http.StatusOK {
		http.Error(w, strings.ToLower(http.StatusText(d.Status)), d.Status)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n") // a sender that is gone is no fault of ours
}

// hand numbers the delivery and gives it to the sinks. It holds the lock all
// the while, which is what keeps the order.
func (s *Server) hand(ctx context.Context, d *webhook.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.LastID++
	d.ID = s.LastID
	d.Received = s.now()
	for _, sink := range s.Sinks {
		if err := sink(ctx, d); err != nil {
			return err
		}
	}
	return nil
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
