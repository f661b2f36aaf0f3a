package listen

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// A deadline that was moved to later, and one that was taken away, do not end a
// read; one that holds does, and so does the end at once that package http asks for.
func TestConnDeadlines(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	c, err := listener{ln}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	set := func(after time.Duration) {
		t.Helper()
		if err := c.SetReadDeadline(time.Now().Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	none := func() {
		t.Helper()
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	b := make([]byte, 1)
	expect := func(what string, least, most time.Duration) {
		t.Helper()
		begin := time.Now()
		n, err := c.Read(b)
		if took := time.Since(begin); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took < least || took > most {
			t.Errorf("%s: read %d, %v after %v", what, n, err, took)
		}
	}
	arrives := func(what string, after time.Duration) {
		t.Helper()
		time.AfterFunc(after, func() { _, _ = peer.Write([]byte("x")) })
		if n, err := c.Read(b); n != 1 || err != nil {
			t.Errorf("%s: read %d, %v", what, n, err)
		}
	}
	const short, long = 50 * time.Millisecond, 150 * time.Millisecond
	const late = 5 * time.Second // a slow machine
	set(short)
	expect("a deadline", short, late)
	set(short)
	set(long)
	expect("moved to later", long, late)
	set(late)
	set(short)
	expect("moved to earlier", short, late-time.Second)
	set(short)
	none()
	arrives("taken away", long)
	set(short)
	set(late)
	arrives("before the later one", long)

	// What package http does to end a read that it began itself.
	set(late)
	time.AfterFunc(short, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	expect("ended at once", short, late-time.Second)
	none()
	arrives("after that", long)
	set(short)
	expect("a deadline after that", short, late-time.Second)
	_ = c.SetReadDeadline(time.Unix(1, 0))
	_ = c.SetReadDeadline(time.Unix(1, 0))
	expect("ended before it began", 0, late-time.Second)
	set(long)
	expect("a deadline without taking that away", long, late)
}
