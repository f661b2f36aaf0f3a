package listen_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/listen"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

func request(t testing.TB, method, url string, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// A recorder is a sink and a Refused that remember.
type recorder struct {
	mu         sync.Mutex
	deliveries []*webhook.Delivery
	refusals   []listen.Refusal
	err        error
}

func (r *recorder) sink(_ context.Context, d *webhook.Delivery) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deliveries = append(r.deliveries, d)
	return r.err
}

func (r *recorder) refused(refusal listen.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusals = append(r.refusals, refusal)
}

func start(t testing.TB, s *listen.Server) (url string, r *recorder) {
	t.Helper()
	r = new(recorder)
	s.Sinks = append(s.Sinks, r.sink)
	s.Refused = r.refused
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL, r
}

func TestServeHTTP(t *testing.T) {
	tests := []struct {
		name, method string
		body         io.Reader
		status       int
		reason       string
	}{
		{"post", "POST", strings.NewReader("{}"), 200, ""},
		{"post without a body", "POST", nil, 200, ""},
		{"get", "GET", nil, 200, ""},
		{"head", "HEAD", nil, 200, ""},
		{"put", "PUT", strings.NewReader("{}"), 405, "method not allowed, want POST"},
		{"delete", "DELETE", nil, 405, "method not allowed, want POST"},
		{"options", "OPTIONS", nil, 405, "method not allowed, want POST"},
		{"just fits", "POST", strings.NewReader(strings.Repeat("x", 10)), 200, ""},
		{"just fits, chunked", "POST", io.LimitReader(strings.NewReader(strings.Repeat("x", 99)), 10), 200, ""},
		{"too large", "POST", strings.NewReader(strings.Repeat("x", 11)), 413, "body too large"},
		{"too large, chunked", "POST", io.LimitReader(strings.NewReader(strings.Repeat("x", 99)), 11), 413, "body too large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Date(2026, 3, 12, 14, 30, 0, 0, time.UTC)
			url, r := start(t, &listen.Server{MaxBody: 10, Now: func() time.Time { return now }})
			resp, text := request(t, tt.method, url+"/a?b=c", tt.body)
			if resp.StatusCode != tt.status {
				t.Errorf("status is %d, want %d", resp.StatusCode, tt.status)
			}
			if allow := resp.Header.Get("Allow"); tt.status == 405 && allow != "POST, GET, HEAD" {
				t.Errorf("Allow is %q", allow)
			}
			if tt.status == 200 {
				if len(r.deliveries) != 1 || len(r.refusals) != 0 {
					t.Fatalf("got %d deliveries and %d refusals, want 1 and 0", len(r.deliveries), len(r.refusals))
				}
				d := r.deliveries[0]
				if d.ID != 1 || d.Received != now || d.Method != tt.method || d.URL != "/a?b=c" || d.RemoteAddr == "" {
					t.Errorf("got %+v", d)
				}
				return
			}
			if tt.method != "HEAD" && strings.TrimSpace(text) != tt.reason {
				t.Errorf("answer is %q, want %q", text, tt.reason)
			}
			if len(r.deliveries) != 0 || len(r.refusals) != 1 {
				t.Fatalf("got %d deliveries and %d refusals, want 0 and 1", len(r.deliveries), len(r.refusals))
			}
			if f := r.refusals[0]; f.Status != tt.status || f.Reason != tt.reason || f.Method != tt.method || f.URL != "/a?b=c" || f.Time != now || f.RemoteAddr == "" {
				t.Errorf("got %+v", f)
			}
		})
	}
}

func TestBytes(t *testing.T) {
	url, r := start(t, &listen.Server{})
	body := make([]byte, 256)
	for i := range body {
		body[i] = byte(i)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/a%2fb//c?x=%20&x", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header["X-Two"] = []string{"1", "2"}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	d := r.deliveries[0]
	if !bytes.Equal(d.Body, body) {
		t.Errorf("the body became %q", d.Body)
	}
	if d.URL != "/a%2fb//c?x=%20&x" {
		t.Errorf("the URL became %s", d.URL)
	}
	if got := d.Header["X-Two"]; !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("the header became %q", got)
	}
}

func TestDefaultMaxBody(t *testing.T) {
	url, _ := start(t, &listen.Server{})
	for _, tt := range []struct{ size, want int }{{listen.DefaultMaxBody, 200}, {listen.DefaultMaxBody + 1, 413}} {
		// The header alone decides; a client that waits does not send the body.
		resp, _ := request(t, "POST", url, bytes.NewReader(make([]byte, tt.size)))
		if resp.StatusCode != tt.want {
			t.Errorf("%d bytes: status is %d, want %d", tt.size, resp.StatusCode, tt.want)
		}
	}
}

// A body that ends before its length is no delivery.
func TestBodyCutOff(t *testing.T) {
	url, r := start(t, &listen.Server{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{}")
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		t.Fatal("not a TCP connection")
	}
	if err = tcp.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest || len(r.deliveries) != 0 || len(r.refusals) != 1 {
		t.Errorf("status is %d with %d deliveries and %d refusals, want 400, 0 and 1", resp.StatusCode, len(r.deliveries), len(r.refusals))
	}
}

// Every sink sees the deliveries in the order of their IDs, one at a time.
func TestOrder(t *testing.T) {
	var first, second []uint64
	busy := false
	s := &listen.Server{Sinks: []listen.Sink{
		func(_ context.Context, d *webhook.Delivery) error {
			if busy {
				t.Error("two deliveries at a time")
			}
			busy = true
			first = append(first, d.ID)
			return nil
		},
		func(_ context.Context, d *webhook.Delivery) error {
			second = append(second, d.ID)
			busy = false
			return nil
		},
	}}
	url, _ := start(t, s)
	const senders, each = 50, 4
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for range each {
				resp, err := http.Post(url, "application/json", strings.NewReader("{}"))
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
			}
		})
	}
	wg.Wait()
	want := make([]uint64, senders*each)
	for i := range want {
		want[i] = uint64(i) + 1
	}
	if !slices.Equal(first, want) || !slices.Equal(second, want) {
		t.Errorf("the sinks saw\n%v\n%v", first, second)
	}
}

// What comes at the same time is recorded together, in order, before any sink
// sees it; when that fails, all senders are told, and no sink.
func TestRecord(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var recorded, shown []uint64
	calls := 0
	s := &listen.Server{LastID: 100}
	s.Record = func(batch []*webhook.Delivery) error {
		if calls++; calls == 1 {
			close(entered)
			<-release
		}
		if calls == 3 {
			return errors.New("disk full")
		}
		for _, d := range batch {
			recorded = append(recorded, d.ID)
		}
		return nil
	}
	s.Sinks = []listen.Sink{func(_ context.Context, d *webhook.Delivery) error {
		if len(recorded) == 0 || recorded[len(recorded)-1] < d.ID {
			t.Errorf("%d is shown before it is recorded", d.ID)
		}
		shown = append(shown, d.ID)
		return nil
	}}
	send := func() int {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}")))
		return w.Code
	}
	const others = 20
	codes := make(chan int, others+1)
	go func() { codes <- send() }()
	<-entered
	for range others {
		go func() { codes <- send() }()
	}
	time.Sleep(50 * time.Millisecond) // they are in the line by now, or the test shows less
	close(release)
	for range others + 1 {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("answered %d", code)
		}
	}
	if calls > others {
		t.Errorf("%d calls", calls)
	}
	for i, id := range recorded {
		if id != uint64(i)+101 {
			t.Errorf("recorded %v", recorded)
			break
		}
	}
	if !slices.Equal(recorded, shown) || len(shown) != others+1 {
		t.Errorf("recorded %v, shown %v", recorded, shown)
	}
	calls = 2
	if code := send(); code != http.StatusServiceUnavailable || len(shown) != others+1 {
		t.Errorf("not recorded: answered %d, %d shown", code, len(shown))
	}
	if code := send(); code != http.StatusOK || len(shown) != others+2 {
		t.Errorf("after that: answered %d, %d shown", code, len(shown))
	}
}

// A delivery that was not taken is not acknowledged, and the next one is.
func TestSinkError(t *testing.T) {
	fail := true
	after := 0
	s := &listen.Server{Sinks: []listen.Sink{
		func(context.Context, *webhook.Delivery) error {
			if fail {
				return errors.New("disk full")
			}
			return nil
		},
		func(context.Context, *webhook.Delivery) error { after++; return nil },
	}}
	url, r := start(t, s)
	resp, text := request(t, "POST", url, strings.NewReader("{}"))
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("status is %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	if strings.Contains(text, "disk full") {
		t.Errorf("the sender is told %q", text)
	}
	if after != 0 || len(r.refusals) != 1 || r.refusals[0].Status != http.StatusServiceUnavailable {
		t.Errorf("%d later sinks were called, refusals %+v", after, r.refusals)
	}
	fail = false
	if resp, _ := request(t, "POST", url, strings.NewReader("{}")); resp.StatusCode != http.StatusOK || after != 1 {
		t.Errorf("status is %d, %d later sinks were called", resp.StatusCode, after)
	}
}

// serve runs a server until cancel, on a port of its own.
func serve(t *testing.T, s *listen.Server) (addr string, cancel func(), done <-chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	return ln.Addr().String(), cancel, ended
}

const patience = 10 * time.Second

func TestServeDrains(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	addr, cancel, done := serve(t, &listen.Server{Sinks: []listen.Sink{func(ctx context.Context, _ *webhook.Delivery) error {
		close(entered)
		<-release
		return ctx.Err()
	}}})
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Post("http://"+addr, "application/json", strings.NewReader("{}"))
		if err != nil {
			answer <- err.Error()
			return
		}
		_ = resp.Body.Close()
		answer <- resp.Status
	}()
	<-entered
	cancel()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			break // it accepts no more
		}
		_ = conn.Close()
		if time.Since(begin) > patience {
			t.Fatal("it still accepts connections")
		}
	}
	select {
	case err := <-done:
		t.Fatalf("Serve returned %v before the request was answered", err)
	default:
	}
	close(release)
	if got := <-answer; got != "200 OK" {
		t.Errorf("the request under way got %s", got)
	}
	if err := <-done; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

func TestServeSilentConnection(t *testing.T) {
	addr, cancel, done := serve(t, new(listen.Server))
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	// Connections are accepted in their order: after this one is answered,
	// the silent one is known.
	resp, _ := request(t, "POST", "http://"+addr, strings.NewReader("{}"))
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status is %d", resp.StatusCode)
	}
	begin := time.Now()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestServeFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if err := new(listen.Server).Serve(t.Context(), ln); err == nil {
		t.Error("no error from a listener that is closed")
	}
}

func TestQueue(t *testing.T) {
	q := listen.NewQueue()
	const producers, each = 20, 500
	last := make([]uint64, producers)
	total := 0
	done := make(chan error)
	go func() {
		done <- q.Each(func(batch []*webhook.Delivery) error {
			if len(batch) == 0 {
				t.Error("an empty batch")
			}
			for _, d := range batch {
				p := len(d.URL)
				if d.ID != last[p]+1 {
					t.Errorf("producer %d: %d follows %d", p, d.ID, last[p])
				}
				last[p] = d.ID
				total++
			}
			return nil
		})
	}()
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for i := range each {
				d := &webhook.Delivery{ID: uint64(i) + 1, URL: strings.Repeat("x", p)}
				if err := q.Put(context.Background(), d); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	q.Close()
	if err := <-done; err != nil || total != producers*each {
		t.Errorf("got %d of %d, %v", total, producers*each, err)
	}
}

func TestQueueWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := listen.NewQueue()
		var got []uint64
		ended := false
		go func() {
			if err := q.Each(func(batch []*webhook.Delivery) error {
				time.Sleep(time.Hour) // a slow consumer does not hold up Put
				for _, d := range batch {
					got = append(got, d.ID)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			ended = true
		}()
		synctest.Wait()
		begin := time.Now()
		for id := range uint64(3) {
			_ = q.Put(t.Context(), &webhook.Delivery{ID: id + 1})
			synctest.Wait()
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("Put took %v", took)
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if !slices.Equal(got, []uint64{1, 2, 3}) || ended {
			t.Errorf("got %v, ended %v", got, ended)
		}
		_ = q.Put(t.Context(), &webhook.Delivery{ID: 4})
		q.Close()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if !slices.Equal(got, []uint64{1, 2, 3, 4}) || !ended {
			t.Errorf("after Close: got %v, ended %v", got, ended)
		}
	})
}

// A list is a spill in memory.
type list struct {
	deliveries []*webhook.Delivery
	full       int // how many it takes
	resets     int
}

func (l *list) Put(d *webhook.Delivery) error {
	if len(l.deliveries) == l.full {
		return errors.New("disk full")
	}
	l.deliveries = append(l.deliveries, d)
	return nil
}

func (l *list) Take() ([]*webhook.Delivery, error) {
	n := min(2, len(l.deliveries))
	batch := l.deliveries[:n:n]
	l.deliveries = l.deliveries[n:]
	return batch, nil
}

func (l *list) Reset() error { l.resets++; return nil }

// What does not fit into memory comes back in order; what fits nowhere is told.
func TestQueueSpill(t *testing.T) {
	for _, tt := range []struct {
		name       string
		spill      listen.Spill
		kept, lost uint64
		puts       uint64
		resets     int
	}{
		{"room for all", &list{full: 100}, 20, 0, 20, 1},
		{"full", &list{full: 5}, 8, 12, 20, 1},
		{"none", nil, 3, 17, 20, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := listen.NewQueue()
			q.MaxBytes, q.Spill = 3000, tt.spill // three deliveries
			var lost uint64
			q.Lost = func(_ *webhook.Delivery, err error) {
				if lost++; (err == nil) != (tt.spill == nil) {
					t.Errorf("lost for %v", err)
				}
			}
			for id := range tt.puts {
				if err := q.Put(t.Context(), &webhook.Delivery{ID: id + 1, Body: make([]byte, 450)}); err != nil {
					t.Fatal(err)
				}
			}
			q.Close()
			var got uint64
			if err := q.Each(func(batch []*webhook.Delivery) error {
				for _, d := range batch {
					if got++; d.ID != got {
						t.Errorf("got %d, want %d", d.ID, got)
					}
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			if got != tt.kept || lost != tt.lost {
				t.Errorf("kept %d and lost %d, want %d and %d", got, lost, tt.kept, tt.lost)
			}
			if l, ok := tt.spill.(*list); ok && l.resets != tt.resets {
				t.Errorf("%d resets, want %d", l.resets, tt.resets)
			}
		})
	}
}

func TestQueueWake(t *testing.T) {
	q := listen.NewQueue()
	q.Wake()
	calls := 0
	_ = q.Each(func([]*webhook.Delivery) error {
		calls++
		q.Close()
		return nil
	})
	if calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
}

func TestDecide(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer listen.Answer
		status int
		body   string
	}{
		{"zero", listen.Answer{}, 200, ""},
		{"status", listen.Answer{Status: 503}, 503, "service unavailable\n"},
		{"body", listen.Answer{Status: 422, Header: http.Header{"X-A": {"1", "2"}}, Body: []byte("no")}, 422, "no"},
		{"empty body", listen.Answer{Status: 204, Body: []byte{}}, 204, ""},
		{"drop", listen.Answer{Status: 200, Drop: true}, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var taken atomic.Uint64
			tt.answer.Taken = func(d *webhook.Delivery, err error) {
				if err == nil {
					taken.Store(d.ID)
				}
			}
			url, r := start(t, &listen.Server{Decide: func(_ context.Context, d *webhook.Delivery) listen.Answer {
				if d.ID != 0 || string(d.Body) != "{}" {
					t.Errorf("asked about %+v", d)
				}
				return tt.answer
			}})
			resp, err := http.Post(url, "application/json", strings.NewReader("{}"))
			r.mu.Lock() // a connection that is dropped orders nothing
			if len(r.deliveries) != 1 || r.deliveries[0].Status != tt.status || taken.Load() != 1 {
				t.Errorf("the sinks got %+v, taken %d", r.deliveries, taken.Load())
			}
			r.mu.Unlock()
			if tt.answer.Drop {
				if err == nil {
					t.Errorf("answered with %d", resp.StatusCode)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != tt.status || string(text) != tt.body || !slices.Equal(resp.Header["X-A"], tt.answer.Header["X-A"]) {
				t.Errorf("got %d, %q, %v, %v", resp.StatusCode, text, resp.Header, err)
			}
		})
	}
}

func TestQueueError(t *testing.T) {
	q := listen.NewQueue()
	_ = q.Put(t.Context(), new(webhook.Delivery))
	broken := errors.New("terminal gone")
	if err := q.Each(func([]*webhook.Delivery) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func ExampleServer() {
	server := &listen.Server{Sinks: []listen.Sink{func(_ context.Context, d *webhook.Delivery) error {
		fmt.Printf("%d %s %s %s\n", d.ID, d.Method, d.URL, d.Body)
		return nil
	}}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error)
	go func() { done <- server.Serve(ctx, ln) }()

	resp, err := http.Post("http://"+ln.Addr().String()+"/hooks", "application/json", strings.NewReader(`{"event": "call.missed"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	fmt.Println(resp.Status)

	cancel()
	fmt.Println(<-done)
	// Output:
	// 1 POST /hooks {"event": "call.missed"}
	// 200 OK
	// <nil>
}
