package check

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
)

// An UnreachableError says that there is nobody to ask.
type UnreachableError struct {
	Class deliver.Class
	Err   error
}

func (e *UnreachableError) Error() string { return e.Err.Error() }

func (e *UnreachableError) Unwrap() error { return e.Err }

// Reach connects to the handler and sends nothing. Its error is an
// *[UnreachableError], or that of the context. A handler behind a proxy is taken
// to be reachable.
func (s *Suite) Reach(ctx context.Context) error {
	if s.proxied() {
		return nil
	}
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	return conn.Close()
}

// proxied reports whether the environment names a proxy for the handler.
func (s *Suite) proxied() bool {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: s.target})
	return err != nil || proxy != nil
}

// dial opens a connection, on which nothing was sent but what TLS needs.
func (s *Suite) dial(ctx context.Context) (net.Conn, error) {
	port := s.target.Port()
	if port == "" {
		port = s.target.Scheme
	}
	dialing, cancel := context.WithTimeout(ctx, s.options.Deadline)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(dialing, "tcp", net.JoinHostPort(s.target.Hostname(), port))
	if err == nil && s.target.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{ServerName: s.target.Hostname(), InsecureSkipVerify: s.options.Insecure}) //nolint:gosec // only where it is asked for
		if err = secure.HandshakeContext(dialing); err != nil {
			_ = conn.Close() // the handshake's error is the one to tell
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, &UnreachableError{deliver.TLS, err}
		}
		conn = secure
	}
	if err == nil {
		return conn, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	class := deliver.Refused
	if dns, ok := errors.AsType[*net.DNSError](err); ok && !dns.IsTimeout {
		class = deliver.Unknown
	} else if isTimeout(err) {
		class = deliver.Timeout
	}
	return nil, &UnreachableError{class, err}
}

func isTimeout(err error) bool {
	network, ok := errors.AsType[net.Error](err)
	return ok && network.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// cutShort reports whether a handler closed a connection while it was being sent
// to. One that went down after it had read everything ends it in another way.
func cutShort(o *deliver.Outcome) bool {
	return errors.Is(o.Err, syscall.EPIPE) || errors.Is(o.Err, syscall.ECONNRESET)
}

// A line is one connection to the handler, on which requests are written by hand.
type line struct {
	suite *Suite
	conn  net.Conn
	read  *bufio.Reader
	stop  func() bool
}

// open opens a line, which ends with the context.
func (s *Suite) open(ctx context.Context) (*line, error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return &line{s, conn, bufio.NewReader(conn), stop}, nil
}

func (l *line) close() {
	l.stop()
	_ = l.conn.Close() // nothing more is wanted of it
}

// bytes returns a request as it goes over the wire: the header, and the body.
func (l *line) bytes(ctx context.Context, d delivery) (head, body []byte, err error) {
	req, err := l.suite.client.Request(ctx, d.request(l.suite))
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	if err := req.Write(&b); err != nil {
		return nil, nil, err
	}
	end := bytes.Index(b.Bytes(), []byte("\r\n\r\n")) + len("\r\n\r\n")
	return b.Bytes()[:end], b.Bytes()[end:], nil
}

// exchange makes a delivery on the line, with the body in that many pieces and a
// pause before each but the first. It reports whether the handler says that it
// keeps the connection.
func (l *line) exchange(ctx context.Context, d delivery, pieces int, pause time.Duration) (e *exchange, kept bool) {
	e = &exchange{sent: d.what}
	o := &e.outcome
	head, body, err := l.bytes(ctx, d)
	begin := time.Now()
	if err == nil {
		_, err = l.conn.Write(head)
	}
	for i := range pieces {
		if err != nil {
			break
		}
		if i > 0 {
			time.Sleep(pause)
		}
		_, err = l.conn.Write(body[len(body)*i/pieces : len(body)*(i+1)/pieces])
	}
	// A handler that gave up has answered before it stopped reading.
	asked := time.Now()
	if deadlineErr := l.conn.SetReadDeadline(asked.Add(l.suite.options.Deadline)); deadlineErr != nil && err == nil {
		err = deadlineErr
	}
	resp, readErr := http.ReadResponse(l.read, nil)
	const most = 16 // interim responses
	for i := 0; i < most && readErr == nil && resp.StatusCode/100 == 1 && resp.StatusCode != http.StatusSwitchingProtocols; i++ {
		_ = resp.Body.Close() // it has none
		resp, readErr = http.ReadResponse(l.read, nil)
	}
	if readErr == nil {
		o.Status, o.Header, kept = resp.StatusCode, resp.Header, !resp.Close
		o.Body, readErr = io.ReadAll(io.LimitReader(resp.Body, deliver.MaxResponse+1))
		if o.Cut = len(o.Body) > deliver.MaxResponse; o.Cut {
			o.Body, kept = o.Body[:deliver.MaxResponse], false
		} else {
			_ = resp.Body.Close() // it would read an answer without an end to its end
		}
	}
	o.Latency = time.Since(begin)
	if pieces > 1 {
		o.Latency = time.Since(asked) // how slow this end was is no matter
	}
	switch {
	case ctx.Err() != nil:
		o.Class, o.Err = deliver.Canceled, ctx.Err()
	case readErr != nil && isTimeout(readErr):
		o.Class, o.Err = deliver.Timeout, readErr
	case readErr != nil:
		o.Class, o.Err = deliver.Closed, readErr
	case o.Status/100 == 2:
		o.Class = deliver.OK
	case o.Status/100 == 3:
		o.Class, o.Location = deliver.Redirect, o.Header.Get("Location")
	default:
		o.Class = deliver.Status
	}
	l.suite.heard(o)
	return e, kept && err == nil
}

// failed is an exchange for which there was no connection.
func failed(d delivery, err error) *exchange {
	class := deliver.Failed
	if unreachable, ok := errors.AsType[*UnreachableError](err); ok {
		class = unreachable.Class
	} else if errors.Is(err, context.Canceled) {
		class = deliver.Canceled
	}
	return &exchange{d.what, deliver.Outcome{Class: class, Err: err}}
}

// How often a line is used, and how long it rests in between: a handler that
// closes it has done so by then.
const (
	onOneLine = 3
	breath    = 20 * time.Millisecond
)

// keepAlive makes deliveries on one connection, as long as the handler says that
// it keeps it.
func (s *Suite) keepAlive(ctx context.Context) Verdict {
	l, err := s.open(ctx)
	if err != nil {
		return judge(acknowledged, failed(delivery{what: "a connection"}, err))
	}
	defer l.close()
	var exchanges []*exchange
	for i, kept := 0, true; kept && i < onOneLine; i++ {
		time.Sleep(breath)
		t := s.good(ctx)[0]
		var e *exchange
		e, kept = l.exchange(ctx, s.event(t, t.typ.Name, s.fresh(t)), 1, 0)
		if i > 0 {
			e.sent += ", on the connection of the one before"
		}
		exchanges = append(exchanges, e)
	}
	v := judge(acknowledged, exchanges...)
	if v.Kind == Fail && v.Outcome.Class == deliver.Closed && len(exchanges) > 1 {
		v.Reason = Dropped
	}
	return v
}

// How a slow sender sends: 600 ms in all.
const (
	slowPieces = 7
	slowPause  = 100 * time.Millisecond
)

// slow makes a delivery whose body comes in pieces.
func (s *Suite) slow(ctx context.Context) Verdict {
	t := s.good(ctx)[0]
	d := s.event(t, t.typ.Name+", its body in pieces", s.fresh(t))
	l, err := s.open(ctx)
	if err != nil {
		return judge(acknowledged, failed(d, err))
	}
	defer l.close()
	e, _ := l.exchange(ctx, d, slowPieces, slowPause)
	return judge(acknowledged, e)
}

// stuck makes a delivery while another one has stopped in the middle of its body.
func (s *Suite) stuck(ctx context.Context) Verdict {
	t := s.good(ctx)[0]
	d := s.event(t, t.typ.Name+", while another one is stuck in its body", s.fresh(t))
	l, err := s.open(ctx)
	if err != nil {
		return judge(acknowledged, failed(d, err))
	}
	defer l.close()
	head, body, err := l.bytes(ctx, s.event(t, t.typ.Name, s.fresh(t)))
	if err == nil {
		_, err = l.conn.Write(append(head, body[:len(body)/2]...))
	}
	if err != nil {
		return judge(acknowledged, failed(d, err))
	}
	time.Sleep(slowPause) // until the handler reads
	return judge(acknowledged, s.send(ctx, d))
}
