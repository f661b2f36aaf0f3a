package load_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/load"
)

// TestMain holds that a run leaves no goroutine behind.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		stacks := make([]byte, 1<<20)
		for range 100 {
			stacks = stacks[:runtime.Stack(stacks[:cap(stacks)], true)]
			if !strings.Contains(string(stacks), "pkg/load.(") {
				os.Exit(0)
			}
			time.Sleep(20 * time.Millisecond)
		}
		fmt.Printf("goroutines are left:\n%s\n", stacks)
		code = 1
	}
	os.Exit(code)
}

func parse(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// serve starts a server of HTTP.
func serve(t testing.TB, h http.HandlerFunc) *url.URL {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return parse(t, s.URL)
}

// speak starts a server that does with each connection what f says.
func speak(t testing.TB, f func(net.Conn)) *url.URL {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				f(conn)
			})
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
		conns.Wait()
	})
	return parse(t, "http://"+ln.Addr().String())
}

// answer returns what answers each request of a connection with text.
func answer(text string, more ...string) func(net.Conn) {
	return func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for {
			if req, err := http.ReadRequest(r); err != nil {
				return
			} else if _, err = io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			for _, part := range append([]string{text}, more...) {
				if _, err := io.WriteString(conn, part); err != nil {
					return
				}
			}
		}
	}
}

func next(int) load.Request {
	return load.Request{Event: "call.missed", Body: []byte(`{"event": "call.missed"}`)}
}

func run(t testing.TB, o load.Options) *load.Summary {
	t.Helper()
	if o.Next == nil {
		o.Next = next
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	s, err := load.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	checkSums(t, s)
	return s
}

// checkSums holds that a summary does not contradict itself.
func checkSums(t testing.TB, s *load.Summary) {
	t.Helper()
	var sent, ok, events, acknowledged int64
	for status, n := range s.Statuses {
		sent += n
		if status/100 == 2 {
			ok += n
		}
	}
	for class, n := range s.Errors {
		if class != deliver.Canceled {
			sent += n
		}
	}
	for _, n := range s.Events {
		events += n.Sent
		acknowledged += n.OK
	}
	if s.Sent != sent || s.OK != ok || events != sent || acknowledged != ok {
		t.Errorf("the sums do not agree: %+v", s)
	}
	l := s.Latency
	if l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > l.P999 || l.P999 > l.Max || l.Mean > l.Max {
		t.Errorf("the quantiles do not rise: %+v", l)
	}
	if s.Service.Max > l.Max {
		t.Errorf("the service takes %v, longer than the latency %v", s.Service.Max, l.Max)
	}
}

func refused(t *testing.T) *url.URL {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return parse(t, "http://"+ln.Addr().String())
}

// Odd servers: each gets six requests on two connections.
func TestRunServers(t *testing.T) {
	const n = 6
	tests := []struct {
		name   string
		server func(*testing.T) *url.URL
		status int           // of all
		class  deliver.Class // of all, without a status
	}{
		{"plain", speaks(answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")), 200, ""},
		{"not acknowledged", speaks(answer("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")), 503, ""},
		{"redirect", speaks(answer("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")), 302, ""},
		{"chunked", speaks(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n", "0\r\nA: b\r\n\r\n")), 200, ""},
		{"interim", speaks(answer("HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")), 202, ""},
		{"one byte at a time", speaks(answer("H", strings.Split("TTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "")...)), 200, ""},
		{"1.0", speaks(func(conn net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\nabc")
		}), 200, ""},
		{"closes after each", speaks(func(conn net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") // without saying so
		}), 200, ""},
		{"says more", speaks(func(conn net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 408 Too late\r\n\r\n")
		}), 200, ""},
		{"a gigabyte", speaks(func(conn net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
			part := make([]byte, 1<<16)
			for range 1 << 14 {
				if _, err := conn.Write(part); err != nil {
					return
				}
			}
			t.Error("all of it was read")
		}), 200, ""},
		{"a gigabyte in chunks", speaks(func(conn net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			part := append([]byte("10000\r\n"), make([]byte, 1<<16)...)
			for range 1 << 14 {
				if _, err := conn.Write(append(part, "\r\n"...)); err != nil {
					return
				}
			}
			t.Error("all of it was read")
		}), 200, ""},
		{"closes at once", speaks(func(net.Conn) {}), 0, deliver.Closed},
		{"closes in the header", speaks(func(conn net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nA: ")
		}), 0, deliver.Closed},
		{"garbage", speaks(answer("SSH-2.0-x\r\n")), 0, deliver.Failed},
		{"header without end", speaks(answer("HTTP/1.1 200 OK\r\n", slices.Repeat([]string{"A: " + strings.Repeat("b", 1000) + "\r\n"}, 1000)...)), 0, deliver.Failed},
		{"refused", refused, 0, deliver.Refused},
		{"self-signed", func(t *testing.T) *url.URL {
			s := httptest.NewUnstartedServer(http.NotFoundHandler())
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.StartTLS()
			t.Cleanup(s.Close)
			return parse(t, s.URL)
		}, 0, deliver.TLS},
		{"https to a server of http", func(t *testing.T) *url.URL {
			u := serve(t, func(http.ResponseWriter, *http.Request) {})
			u.Scheme = "https"
			return u
		}, 0, deliver.TLS},
	}
	for _, tt := range tests {
		for _, rate := range []float64{0, 1000} {
			t.Run(fmt.Sprint(tt.name, " rate ", rate), func(t *testing.T) {
				s := run(t, load.Options{URL: tt.server(t), Count: n, Concurrency: 2, Rate: rate})
				if s.Sent != n || s.Dropped != 0 || tt.status != 0 && s.Statuses[tt.status] != n || tt.class != "" && s.Errors[tt.class] != n {
					t.Errorf("got %+v", s)
				}
			})
		}
	}
}

func speaks(f func(net.Conn)) func(*testing.T) *url.URL {
	return func(t *testing.T) *url.URL { return speak(t, f) }
}

func TestRunTLS(t *testing.T) {
	var proto, conns atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { proto.Store(int64(r.ProtoMajor)) }))
	s.EnableHTTP2 = true
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.StartTLS()
	defer s.Close()
	sum := run(t, load.Options{URL: parse(t, s.URL), Count: 10, Concurrency: 1, Insecure: true})
	if sum.OK != 10 || proto.Load() != 1 || conns.Load() != 1 {
		t.Errorf("got %+v, HTTP/%d on %d connections", sum, proto.Load(), conns.Load())
	}
}

// A connection that the server has closed meanwhile is not the fault of a request,
// but a second one that closes is.
func TestRunStale(t *testing.T) {
	var conns atomic.Int64
	u := speak(t, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		if conns.Add(1) <= 2 {
			_, _ = http.ReadRequest(r)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	s := run(t, load.Options{URL: u, Count: 3, Concurrency: 1, Next: func(int) load.Request {
		time.Sleep(10 * time.Millisecond) // so that the end of the last connection is known
		return load.Request{}
	}})
	if s.OK != 2 || s.Errors[deliver.Closed] != 1 || conns.Load() != 3 {
		t.Errorf("on %d connections: %+v", conns.Load(), s)
	}
}

func TestRunTimeout(t *testing.T) {
	servers := map[string]func(net.Conn){
		"never answers":     func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) },
		"stops in the head": answer("HTTP/1.1 200 OK\r\nA: "),
		"stops in the body": answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
	}
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			s := run(t, load.Options{URL: speak(t, server), Count: 4, Concurrency: 2, Timeout: 50 * time.Millisecond})
			if s.Sent != 4 || s.Errors[deliver.Timeout] != 4 || s.Latency.P50 < 50*time.Millisecond {
				t.Errorf("got %+v", s)
			}
		})
	}
	t.Run("reads nothing", func(t *testing.T) {
		release := make(chan struct{})
		u := speak(t, func(net.Conn) { <-release })
		defer close(release)
		body := make([]byte, 64<<20) // more than the system takes
		s := run(t, load.Options{URL: u, Count: 2, Concurrency: 1, Timeout: 200 * time.Millisecond, Next: func(int) load.Request { return load.Request{Body: body} }})
		if s.Errors[deliver.Timeout] != 2 {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("handshake", func(t *testing.T) {
		u := speak(t, servers["never answers"])
		u.Scheme = "https"
		s := run(t, load.Options{URL: u, Count: 2, Concurrency: 2, Timeout: 50 * time.Millisecond})
		if s.Errors[deliver.Timeout] != 2 {
			t.Errorf("got %+v", s)
		}
	})
}

// A slow answer within the timeout is none, although others have timed out on the
// same connection before.
func TestRunSlow(t *testing.T) {
	var n atomic.Int64
	u := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if n.Add(1)%2 == 1 {
			<-r.Context().Done()
		}
	})
	s := run(t, load.Options{URL: u, Count: 6, Concurrency: 1, Timeout: 300 * time.Millisecond})
	if s.Errors[deliver.Timeout] != 3 || s.OK != 3 {
		t.Errorf("got %+v", s)
	}
}

func TestRunCount(t *testing.T) {
	for _, tt := range []struct {
		count, concurrency int
		rate               float64
	}{
		{1, 1, 0}, {1, 64, 0}, {1000, 1, 0}, {1000, 7, 0}, {1000, 0, 0}, {1, 64, 1000}, {500, 3, 20000}, {500, 0, 20000},
	} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			var served atomic.Int64
			u := serve(t, func(http.ResponseWriter, *http.Request) { served.Add(1) })
			s := run(t, load.Options{URL: u, Count: tt.count, Concurrency: tt.concurrency, Rate: tt.rate})
			if n := int64(tt.count); s.Sent != n || s.OK != n || served.Load() != n || s.Events["call.missed"].OK != n {
				t.Errorf("%d were served, and measured: %+v", served.Load(), s)
			}
		})
	}
}

func TestRunDuration(t *testing.T) {
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	if s := run(t, load.Options{URL: u, Duration: 200 * time.Millisecond, Concurrency: 4}); s.OK == 0 || s.OK != s.Sent || s.Duration < 200*time.Millisecond {
		t.Errorf("without a rate: %+v", s)
	}
	if s := run(t, load.Options{URL: u, Duration: 200 * time.Millisecond, Concurrency: 4, Rate: 500}); s.Sent+s.Dropped != 100 {
		t.Errorf("with a rate: %+v", s)
	}
}

// All slots are accounted for when the server can do less than is due.
func TestRunDropped(t *testing.T) {
	release := make(chan struct{})
	u := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	s := run(t, load.Options{URL: u, Rate: 1000, Count: 300, Concurrency: 2, Timeout: 100 * time.Millisecond})
	if s.Sent+s.Dropped != 300 || s.Dropped == 0 || s.Errors[deliver.Timeout] != s.Sent {
		t.Errorf("got %+v", s)
	}
	if most := 200*time.Millisecond + s.Service.Max; s.Latency.Max > most {
		t.Errorf("a slot took %v, want %v at most", s.Latency.Max, most)
	}
}

// A stall shows in the latency of all that was due meanwhile, and not only in that
// of the request that met it.
func TestRunCoordinatedOmission(t *testing.T) {
	var n atomic.Int64
	u := serve(t, func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 10 {
			time.Sleep(300 * time.Millisecond)
		}
	})
	s := run(t, load.Options{URL: u, Rate: 200, Count: 100, Concurrency: 1})
	if s.OK != 100 || s.Latency.P50 < 10*time.Millisecond || s.Latency.P50 <= s.Service.P50 {
		t.Errorf("the stall is hidden: %+v", s)
	}
}

func TestRunCanceled(t *testing.T) {
	for _, rate := range []float64{0, 2000} {
		t.Run(fmt.Sprint("answers, rate ", rate), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var served atomic.Int64
			u := serve(t, func(http.ResponseWriter, *http.Request) {
				if served.Add(1) == 50 {
					cancel()
				}
			})
			s, err := load.Run(ctx, load.Options{URL: u, Rate: rate, Next: next})
			if err != nil {
				t.Fatal(err)
			}
			checkSums(t, s)
			if s.Sent < 50 || s.OK != s.Sent || s.Errors[deliver.Canceled] != 0 {
				t.Errorf("%d were served, and measured: %+v", served.Load(), s)
			}
		})
		t.Run(fmt.Sprint("stalls, rate ", rate), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var served atomic.Int64
			u := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if served.Add(1) == 4 {
					cancel()
				}
				<-r.Context().Done()
			})
			s, err := load.Run(ctx, load.Options{URL: u, Rate: rate, Concurrency: 4, Next: next})
			if err != nil {
				t.Fatal(err)
			}
			checkSums(t, s)
			if s.Sent != 0 || s.Errors[deliver.Canceled] != 4 || s.Latency != (load.Quantiles{}) || s.Duration > 5*time.Second {
				t.Errorf("got %+v", s)
			}
		})
	}
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s, err := load.Run(ctx, load.Options{URL: refused(t), Rate: 1, Next: next})
		if err != nil || s.Sent > 1 {
			t.Errorf("got %+v, %v", s, err)
		}
	})
}

// The bytes on the wire are those of the request, and nothing else.
func TestRunRequest(t *testing.T) {
	tests := []struct {
		name    string
		url     string // behind the host
		options load.Options
		request load.Request
		want    string
	}{
		{
			"plain", "",
			load.Options{UserAgent: "agent/1"},
			load.Request{Body: []byte("{}")},
			"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nUser-Agent: agent/1\r\nContent-Length: 2\r\n\r\n{}",
		},
		{
			"path", "/a%2fb?c=%20",
			load.Options{},
			load.Request{},
			"POST /a%2fb?c=%20 HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n",
		},
		{
			"header", "/",
			load.Options{Header: map[string][]string{"Host": {"example.com"}, "content-type": {"text/plain"}, "X-A": {"1", "2"}, "User-Agent": {"mine"}}},
			load.Request{Header: map[string]string{"X-B": "3"}, Body: []byte("\x00\xff")},
			"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Type: text/plain\r\nUser-Agent: mine\r\nX-A: 1\r\nX-A: 2\r\nX-B: 3\r\nContent-Length: 2\r\n\r\n\x00\xff",
		},
		{
			"left out", "/",
			load.Options{UserAgent: "agent/1", Header: map[string][]string{"Content-Type": nil, "User-Agent": nil}},
			load.Request{},
			"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan string, 1)
			u := speak(t, func(conn net.Conn) {
				want := strings.Replace(tt.want, "HOST", conn.LocalAddr().String(), 1)
				all := make([]byte, len(want))
				n, _ := io.ReadFull(conn, all)
				got <- string(all[:n])
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				rest, _ := io.ReadAll(conn)
				if len(rest) > 0 {
					t.Errorf("%q is more than was wanted", rest)
				}
			})
			o := tt.options
			o.URL, o.Count, o.Next = parse(t, u.String()+tt.url), 1, func(int) load.Request { return tt.request }
			s := run(t, o)
			want := strings.Replace(tt.want, "HOST", u.Host, 1)
			if s.OK != 1 || s.BytesSent != int64(len(want)) {
				t.Errorf("got %+v, want %d bytes", s, len(want))
			}
			if text := <-got; text != want {
				t.Errorf("got %q, want %q", text, want)
			}
		})
	}
	t.Run("userinfo", func(t *testing.T) {
		u := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if name, password, ok := r.BasicAuth(); !ok || name != "a" || password != "b" {
				w.WriteHeader(http.StatusUnauthorized)
			}
		})
		u.User = url.UserPassword("a", "b")
		if s := run(t, load.Options{URL: u, Count: 1}); s.OK != 1 {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("field that cannot be sent", func(t *testing.T) {
		var served atomic.Int64
		u := serve(t, func(http.ResponseWriter, *http.Request) { served.Add(1) })
		for _, header := range []map[string]string{{"A": "b\r\nC: d"}, {"A\r\nB": "c"}, {"": "b"}, {"content-length": "3"}, {"Transfer-Encoding": "chunked"}} {
			s := run(t, load.Options{URL: u, Count: 1, Next: func(int) load.Request { return load.Request{Header: header} }})
			if s.Errors[deliver.Failed] != 1 || served.Load() != 0 {
				t.Errorf("%q: got %+v", header, s)
			}
		}
	})
}

// A body that is larger than the buffers of the system arrives whole.
func TestRunLarge(t *testing.T) {
	body := make([]byte, 16<<20)
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n, _ := io.Copy(io.Discard, r.Body); n != int64(len(body)) {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	if s := run(t, load.Options{URL: u, Count: 3, Concurrency: 2, Next: func(int) load.Request { return load.Request{Body: body} }}); s.OK != 3 {
		t.Errorf("got %+v", s)
	}
}

// Each worker asks for its payloads alone, and what it gets is what is sent.
func TestRunWorkers(t *testing.T) {
	const concurrency = 8
	var mu sync.Mutex
	seen := map[string]bool{}
	u := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen[string(body)] = true
	})
	var state [concurrency]struct {
		n    int
		body []byte
	}
	s := run(t, load.Options{URL: u, Count: 1000, Concurrency: concurrency, Next: func(worker int) load.Request {
		mine := &state[worker]
		mine.n++
		mine.body = fmt.Appendf(mine.body[:0], "%d/%d", worker, mine.n)
		return load.Request{Event: fmt.Sprint("event", mine.n%3), Body: mine.body}
	}})
	if s.OK != 1000 || len(seen) != 1000 || len(s.Events) != 3 {
		t.Errorf("%d bodies arrived, and measured: %+v", len(seen), s)
	}
}

func TestRunProgress(t *testing.T) {
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	var last load.Snapshot
	calls := 0
	s := run(t, load.Options{URL: u, Rate: 100, Duration: time.Second, Progress: func(s load.Snapshot) {
		if s.Sent < last.Sent || s.Elapsed <= last.Elapsed || s.OK > s.Sent {
			t.Errorf("%+v came after %+v", s, last)
		}
		last = s
		calls++
	}})
	if calls == 0 || last.Sent == 0 || last.Sent > s.Sent {
		t.Errorf("%d calls, the last with %+v", calls, last)
	}
}

func TestRunOptions(t *testing.T) {
	good := func() load.Options {
		return load.Options{URL: parse(t, "http://127.0.0.1:1/"), Next: next, Count: 1}
	}
	for _, tt := range []struct {
		name   string
		change func(*load.Options)
		want   string
	}{
		{"no URL", func(o *load.Options) { o.URL = nil }, "there is no URL"},
		{"scheme", func(o *load.Options) { o.URL.Scheme = "ftp" }, "want http or https"},
		{"no host", func(o *load.Options) { o.URL.Host = ":80" }, "want http or https and a host"},
		{"no payloads", func(o *load.Options) { o.Next = nil }, "there are no payloads"},
		{"rate", func(o *load.Options) { o.Rate = -1 }, "the rate is -1 per second, want 0 to 1000000"},
		{"high rate", func(o *load.Options) { o.Rate = 1e7 }, "the rate is 1e+07"},
		{"duration", func(o *load.Options) { o.Duration = -1 }, "the duration is -1ns"},
		{"count", func(o *load.Options) { o.Count = -1 }, "the count is -1"},
		{"concurrency", func(o *load.Options) { o.Concurrency = -1 }, "the concurrency is -1"},
		{"timeout", func(o *load.Options) { o.Timeout = -1 }, "the timeout is -1ns"},
		{"field", func(o *load.Options) { o.Header = map[string][]string{"A": {"b\nc"}} }, "control characters"},
		{"length", func(o *load.Options) { o.Header = map[string][]string{"content-length": {"3"}} }, "made from the request"},
		{"host", func(o *load.Options) { o.Header = map[string][]string{"Host": {"a b"}} }, "has spaces"},
		{"agent", func(o *load.Options) { o.UserAgent = "a\r\nB: c" }, "control characters"},
	} {
		o := good()
		tt.change(&o)
		if s, err := load.Run(t.Context(), o); s != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, %v, want an error with %s", tt.name, s, err, tt.want)
		}
	}
}

func TestSummaryJSON(t *testing.T) {
	s := &load.Summary{
		Sent: 3, OK: 2, Duration: 1500 * time.Microsecond, Statuses: map[int]int64{200: 2}, Errors: map[deliver.Class]int64{deliver.Timeout: 1},
		Events: map[string]load.EventCount{"call.missed": {Sent: 3, OK: 2}}, Latency: load.Quantiles{P999: time.Second, Mean: 1234567},
	}
	got, err := json.Marshal(*s)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"sent":3,"ok":2,"dropped":0,"wanted_rate":0,"achieved_rate":0,"bytes_sent":0,"statuses":{"200":2},"errors":{"timeout":1},` +
		`"events":{"call.missed":{"sent":3,"ok":2}},` +
		`"latency":{"p50_ms":0,"p90_ms":0,"p99_ms":0,"p99_9_ms":1000,"max_ms":0,"mean_ms":1.235},` +
		`"service":{"p50_ms":0,"p90_ms":0,"p99_ms":0,"p99_9_ms":0,"max_ms":0,"mean_ms":0},"lateness":{"p50_ms":0,"p99_ms":0},"duration_ms":1.5}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A host without an address is told apart from one that does not answer.
func TestRunUnknownHost(t *testing.T) {
	if _, err := net.DefaultResolver.LookupHost(t.Context(), "nothing.invalid"); err != nil {
		if dns, ok := errors.AsType[*net.DNSError](err); !ok || dns.IsTimeout || dns.IsTemporary {
			t.Skipf("skipped: no names can be looked up here: %v", err)
		}
	}
	if s := run(t, load.Options{URL: parse(t, "http://nothing.invalid/"), Count: 1}); s.Errors[deliver.Unknown] != 1 {
		t.Errorf("got %+v", s)
	}
}

func BenchmarkRun(b *testing.B) {
	for name, rate := range map[string]float64{"as fast as can be": 0, "5000 per second": 5000} {
		b.Run(name, func(b *testing.B) {
			u := serve(b, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
			s := run(b, load.Options{URL: u, Count: b.N, Rate: rate})
			b.ReportMetric(s.AchievedRate, "req/s")
			b.ReportMetric(float64(s.Latency.P99.Microseconds()), "p99-µs")
			if rate > 0 {
				b.ReportMetric(float64(s.Lateness.P50.Nanoseconds())/1000, "late-p50-µs")
			}
		})
	}
}

func ExampleRun() {
	handler := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer handler.Close()
	target, err := url.Parse(handler.URL)
	if err != nil {
		panic(err)
	}

	summary, err := load.Run(context.Background(), load.Options{
		URL:   target,
		Rate:  1000,
		Count: 100,
		Next: func(int) load.Request {
			return load.Request{Event: "call.missed", Body: []byte(`{"event": "call.missed"}`)}
		},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(summary.Sent, "sent,", summary.OK, "acknowledged,", summary.Dropped, "dropped")

	gate, err := load.ParseGate("errors>1%")
	if err != nil {
		panic(err)
	}
	failed, got := gate.Failed(summary)
	fmt.Println(gate, failed, got)
	// Output:
	// 100 sent, 100 acknowledged, 0 dropped
	// errors>1% false 0.00%
}
