package cli

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// A safeBuffer is a stream that a test reads while the program writes.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start runs the program; the function it returns waits for the exit code.
func start(t *testing.T, stdin io.Reader, args ...string) (stderr *safeBuffer, signals chan os.Signal, wait func() int) {
	t.Helper()
	stderr = new(safeBuffer)
	signals = make(chan os.Signal)
	done := make(chan int, 1)
	env := Env{
		Args: args, Stdin: stdin, Stdout: io.Discard, Stderr: stderr, Signals: signals, Now: time.Now,
		Getenv: func(string) string { return "" },
	}
	go func() { done <- Main(env) }()
	return stderr, signals, func() int {
		select {
		case code := <-done:
			return code
		case <-time.After(20 * time.Second):
			t.Fatal("it did not end")
			return 0
		}
	}
}

// urlOf waits for the URL that listen announces.
func urlOf(t *testing.T, stderr *safeBuffer) string {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < 10*time.Second; time.Sleep(time.Millisecond) {
		if _, rest, ok := strings.Cut(stderr.String(), "listening on "); ok {
			if url, _, ok := strings.Cut(rest, " "); ok {
				return url
			}
		}
	}
	t.Fatal("no URL was announced")
	return ""
}

func TestInterruptDrainsListen(t *testing.T) {
	stderr, signals, wait := start(t, nil, "listen", "--port", "0")
	url := urlOf(t, stderr)
	body, feed := io.Pipe()
	answered := make(chan int, 1)
	go func() {
		resp, err := http.Post(url, "application/json", body)
		if err != nil {
			answered <- 0
			return
		}
		_ = resp.Body.Close()
		answered <- resp.StatusCode
	}()
	if _, err := feed.Write([]byte(`{"event":`)); err != nil {
		t.Fatal(err)
	}
	// The request is under way once its first bytes were taken; the server
	// may need a moment to see them.
	time.Sleep(100 * time.Millisecond)
	signals <- os.Interrupt
	if _, err := feed.Write([]byte(`"call.missed"}`)); err != nil {
		t.Fatal(err)
	}
	_ = feed.Close()
	if code := <-answered; code != http.StatusOK {
		t.Errorf("the request under way was answered with %d", code)
	}
	if code := wait(); code != exitDone {
		t.Errorf("exit code %d, want %d", code, exitDone)
	}
	if !strings.Contains(stderr.String(), "received 1 event in ") {
		t.Errorf("no summary: %s", stderr)
	}
}

func TestSecondInterruptEndsAtOnce(t *testing.T) {
	stderr, signals, wait := start(t, nil, "listen", "--port", "0")
	url := urlOf(t, stderr)
	body, feed := io.Pipe()
	defer feed.Close()
	go func() {
		if resp, err := http.Post(url, "application/json", body); err == nil {
			_ = resp.Body.Close()
		}
	}()
	if _, err := feed.Write([]byte(`{`)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	signals <- os.Interrupt
	signals <- os.Interrupt // the same one: to the process and to its group
	time.Sleep(2 * sameInterrupt)
	signals <- os.Interrupt
	if code := wait(); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
}

func TestInterruptEndsARead(t *testing.T) {
	stdin, feed := io.Pipe()
	defer feed.Close()
	_, signals, wait := start(t, stdin, "validate", "-")
	signals <- os.Interrupt
	if code := wait(); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
}
