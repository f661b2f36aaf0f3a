package listen

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// A listener gives its connections lazy deadlines.
type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		return &conn{TCPConn: tcp}, err
	}
	return c, err
}

// A conn sets a timer of the system only when a deadline has to come earlier than
// the one that is set. A server moves the deadline a few times per request, mostly
// to later: under load that would be one of the dearest things it does. A timer
// that goes off too early is set anew.
type conn struct {
	*net.TCPConn

	mu     sync.Mutex
	wanted time.Time // zero: none
	set    time.Time // zero: none
	before time.Time // what was set before the read was told to end at once

	written time.Time // when the deadline of writing was set
}

// longAgo is later than the time with which package http makes a read end at
// once, and earlier than any deadline.
var longAgo = time.Unix(1e6, 0)

// SetReadDeadline is that of net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = t
	ended := !c.set.IsZero() && c.set.Before(longAgo)
	switch {
	case !t.IsZero() && t.Before(longAgo):
		if !ended {
			c.before = c.set
		}
		return c.setTimer(t)
	case ended && (t.IsZero() || !c.before.IsZero() && !t.Before(c.before)):
		return c.setTimer(c.before)
	case t.IsZero(), !ended && !c.set.IsZero() && !t.Before(c.set):
		return nil
	}
	return c.setTimer(t)
}

// setTimer sets the timer of the system. The caller holds the lock.
func (c *conn) setTimer(t time.Time) error {
	c.set = t
	return c.TCPConn.SetReadDeadline(t)
}

// SetDeadline is that of net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Write is that of net.Conn. A peer that does not read does not keep it for ever.
func (c *conn) Write(p []byte) (int, error) {
	if now := time.Now(); now.Sub(c.written) > writeTimeout/4 {
		c.written = now
		if err := c.SetWriteDeadline(now.Add(writeTimeout)); err != nil {
			return 0, err
		}
	}
	return c.TCPConn.Write(p)
}

// Read is that of net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.TCPConn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !c.tooEarly() {
			return n, err
		}
	}
}

// tooEarly reports whether the timer went off before the deadline, and sets it
// anew.
func (c *conn) tooEarly() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.wanted.IsZero() && !time.Now().Before(c.wanted) {
		return false
	}
	return c.setTimer(c.wanted) == nil
}
