package inspect_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/inspect"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

func delivery(id uint64) *webhook.Delivery {
	return &webhook.Delivery{ID: id, Method: "POST", URL: "/", Header: map[string][]string{"X-A": {"1"}}, Body: fmt.Appendf(nil, "body %d", id)}
}

func entry(d *webhook.Delivery) inspect.Entry {
	return inspect.Entry{ID: d.ID, Event: "e", Size: len(d.Body)}
}

func options() inspect.Options {
	return inspect.Options{
		State:  inspect.State{Targets: []string{"http://127.0.0.1:1/"}},
		Entry:  entry,
		Detail: func(d *webhook.Delivery) inspect.Detail { return inspect.Detail{Raw: string(d.Body), Header: d.Header} },
	}
}

func start(t *testing.T, o inspect.Options) (*inspect.Server, string) {
	t.Helper()
	s := inspect.New(o)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL
}

func ask(t *testing.T, method, url, body string, header ...string) (status int, text string, h http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

type list struct {
	Deliveries []inspect.Entry
	More       bool
	Revision   uint64
}

func get(t *testing.T, url string, v any) {
	t.Helper()
	status, text, _ := ask(t, "GET", url, "")
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", url, status, text)
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatal(err)
	}
}

func ids(entries []inspect.Entry) []uint64 {
	var all []uint64
	for _, e := range entries {
		all = append(all, e.ID)
	}
	return all
}

func TestGuard(t *testing.T) {
	o := options()
	replayed := 0
	o.Replay = func(context.Context, *webhook.Delivery, int, bool) inspect.Forward {
		replayed++
		return inspect.Forward{OK: true}
	}
	s, url := start(t, o)
	s.Add(entry(delivery(1)), delivery(1))
	host := strings.TrimPrefix(url, "http://")
	port := host[strings.LastIndexByte(host, ':'):]
	const replay = "/api/deliveries/1/replay"
	for _, tt := range []struct {
		name, method, path string
		header             []string
		status             int
	}{
		{"page", "GET", "/", nil, 200},
		{"localhost", "GET", "/", []string{"Host", "localhost" + port}, 200},
		{"IPv6", "GET", "/", []string{"Host", "[::1]" + port}, 200},
		{"no port", "GET", "/", []string{"Host", "127.0.0.1"}, 200},
		{"rebinding", "GET", "/", []string{"Host", "evil.example" + port}, 403},
		{"rebinding of a name like ours", "GET", "/api/state", []string{"Host", "localhost.evil.example" + port}, 403},
		{"rebinding of an address in a name", "GET", "/api/state", []string{"Host", "127.0.0.1.nip.io" + port}, 403},
		{"another address", "GET", "/api/state", []string{"Host", "192.168.0.1" + port}, 403},
		{"any address", "GET", "/api/state", []string{"Host", "0.0.0.0" + port}, 403},
		{"same origin", "GET", "/api/state", []string{"Sec-Fetch-Site", "same-origin", "Origin", url}, 200},
		{"cross-site read", "GET", "/api/deliveries", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"same-site read", "GET", "/api/deliveries/1", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"cross-site stream", "GET", "/api/stream", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"stream of another port", "GET", "/api/stream", []string{"Origin", "http://localhost:3000"}, 403},
		{"replay", "POST", replay, []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"replay by curl", "POST", replay, nil, 200},
		{"cross-site replay", "POST", replay, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"replay of another origin", "POST", replay, []string{"Origin", "http://localhost:3000"}, 403},
		{"replay of an origin without a name", "POST", replay, []string{"Origin", "null"}, 403},
		{"another method", "DELETE", "/api/deliveries/1", nil, 405},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, text, header := ask(t, tt.method, url+tt.path, `{"target":0}`, tt.header...)
			if status != tt.status {
				t.Errorf("got %d %s", status, text)
			}
			if csp := header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("the policy is %q", csp)
			}
			if header.Get("Access-Control-Allow-Origin") != "" || header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("the header is %v", header)
			}
		})
	}
	if replayed != 2 {
		t.Errorf("%d replays, want 2", replayed)
	}
}

func TestList(t *testing.T) {
	o := options()
	o.Older = func(before uint64, n int) ([]*webhook.Delivery, error) {
		var found []*webhook.Delivery
		for id := max(int(before)-n, 1); id < int(min(before, 101)); id++ { //nolint:gosec // both are small
			found = append(found, delivery(uint64(id)))
		}
		return found, nil
	}
	s, url := start(t, o)
	for id := uint64(101); id <= 400; id++ {
		s.Add(entry(delivery(id)), delivery(id))
	}
	var l list
	get(t, url+"/api/deliveries?limit=3", &l)
	if !slices.Equal(ids(l.Deliveries), []uint64{400, 399, 398}) || !l.More {
		t.Errorf("the newest: %v %v", ids(l.Deliveries), l.More)
	}
	get(t, url+"/api/deliveries?limit=4&before=103", &l)
	if !slices.Equal(ids(l.Deliveries), []uint64{102, 101, 100, 99}) || !l.More {
		t.Errorf("into the capture: %v %v", ids(l.Deliveries), l.More)
	}
	get(t, url+"/api/deliveries?limit=4&before=4", &l)
	if !slices.Equal(ids(l.Deliveries), []uint64{3, 2, 1}) || l.More {
		t.Errorf("the oldest: %v %v", ids(l.Deliveries), l.More)
	}
	get(t, url+"/api/deliveries?limit=9999", &l)
	if len(l.Deliveries) != 200 {
		t.Errorf("%d entries in one answer", len(l.Deliveries))
	}
	var d inspect.Detail
	get(t, url+"/api/deliveries/7", &d)
	if d.Raw != "body 7" || d.Entry.ID != 7 || d.Problems == nil || d.Summary == nil || d.Entry.Forwards == nil {
		t.Errorf("an older one: %+v", d)
	}
	for path, want := range map[string]int{"/api/deliveries/401": 404, "/api/deliveries/x": 400, "/api/deliveries?before=x": 400, "/api/nothing": 404, "/../inspect.go": 404} {
		if status, text, _ := ask(t, "GET", url+path, ""); status != want {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

// What is kept in memory is bounded, in number and in bytes.
func TestBounds(t *testing.T) {
	s, url := start(t, options())
	const size = 1 << 20
	for id := uint64(1); id <= inspect.MaxDeliveries+10; id++ {
		d := delivery(id)
		if id > 100 && id <= 200 {
			d.Body = make([]byte, size)
		}
		s.Add(entry(d), d)
	}
	var l list
	get(t, url+"/api/deliveries?before=21", &l)
	if got := ids(l.Deliveries); len(got) != 10 || got[9] != 11 {
		t.Errorf("the oldest are %v", got)
	}
	// A hundred large ones are more than fit: the first are lines only.
	if status, text, _ := ask(t, "GET", url+"/api/deliveries/101", ""); status != http.StatusNotFound || !strings.Contains(text, "--record keeps all") {
		t.Errorf("got %d %.100s", status, text)
	}
	var d inspect.Detail
	get(t, url+"/api/deliveries/200", &d)
	if len(d.Raw) != size {
		t.Errorf("%d bytes", len(d.Raw))
	}
}

func TestReplay(t *testing.T) {
	o := options()
	var got *webhook.Delivery
	var wasEdited bool
	o.Replay = func(_ context.Context, d *webhook.Delivery, target int, edited bool) inspect.Forward {
		got, wasEdited = d, edited
		return inspect.Forward{Target: target, OK: true, Status: 201}
	}
	s, url := start(t, o)
	s.Add(entry(delivery(1)), delivery(1))
	for _, tt := range []struct {
		name, body string
		status     int
		sent       string
		edited     bool
	}{
		{"as it is", `{"target":0}`, 200, "body 1", false},
		{"edited", `{"target":0,"body":"{\"a\": \u003c}"}`, 200, `{"a": <}`, true},
		{"edited to nothing", `{"target":0,"body":""}`, 200, "", true},
		{"no such target", `{"target":1}`, 400, "", false},
		{"a target below 0", `{"target":-1}`, 400, "", false},
		{"a target of one's own", `{"target":"http://evil.example"}`, 400, "", false},
		{"not JSON", `x`, 400, "", false},
		{"huge", `{"target":0,"body":"` + strings.Repeat("x", 9<<20) + `"}`, 413, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got = nil
			status, text, _ := ask(t, "POST", url+"/api/deliveries/1/replay", tt.body)
			if status != tt.status {
				t.Fatalf("got %d %.200s", status, text)
			}
			if status != http.StatusOK {
				if got != nil || !strings.Contains(text, `"error"`) {
					t.Errorf("sent %v, said %.200s", got, text)
				}
				return
			}
			if string(got.Body) != tt.sent || wasEdited != tt.edited {
				t.Errorf("sent %q, edited %v", got.Body, wasEdited)
			}
		})
	}
	if d := delivery(1); string(d.Body) != "body 1" {
		t.Error("the delivery was changed")
	}
}

// A streamed is one event of the stream.
type streamed struct{ kind, id, data string }

// follow reads the stream from a revision on.
func follow(t *testing.T, url, lastEventID string) (next func() streamed, closeStream func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("the type is %s", kind)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<24)
	t.Cleanup(func() {
		cancel()
		_ = resp.Body.Close()
	})
	return func() streamed {
		var e streamed
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				e.kind = value
			case "id":
				e.id = value
			case "data":
				e.data += value
			case "":
				if e.kind != "" {
					return e
				}
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return e
	}, cancel
}

// Nothing is missed between the list and the stream, nor between two streams, and
// what came of a delivery comes again with it.
func TestStream(t *testing.T) {
	s, url := start(t, options())
	s.Add(entry(delivery(1)), delivery(1))
	var l list
	get(t, url+"/api/deliveries", &l)
	s.Add(entry(delivery(2)), delivery(2)) // between the list and the stream
	next, end := follow(t, fmt.Sprintf("%s/api/stream?since=%d", url, l.Revision), "")
	entries := func(e streamed) []inspect.Entry {
		t.Helper()
		var all []inspect.Entry
		if err := json.Unmarshal([]byte(e.data), &all); err != nil || e.kind != "delivery" {
			t.Fatalf("got %+v, %v", e, err)
		}
		return all
	}
	if got := ids(entries(next())); !slices.Equal(got, []uint64{2}) {
		t.Errorf("got %v", got)
	}
	s.Add(entry(delivery(3)), delivery(3))
	last := next()
	if got := ids(entries(last)); !slices.Equal(got, []uint64{3}) {
		t.Errorf("got %v", got)
	}
	end()

	// Between two streams.
	for id := uint64(4); id <= 1500; id++ {
		s.Add(entry(delivery(id)), delivery(id))
	}
	s.Forwarded(2, inspect.Forward{Status: 500})
	s.Forwarded(2, inspect.Forward{Status: 200})
	s.Forwarded(99_999, inspect.Forward{}) // nobody knows it
	next, end = follow(t, url+"/api/stream?since=1", last.id)
	var got []uint64
	for len(got) < 1498 {
		all := entries(next())
		got = append(got, ids(all)...)
		if e := all[len(all)-1]; e.ID == 2 && (len(e.Forwards) != 2 || e.Forwards[1].Status != 200) {
			t.Errorf("what came of it: %+v", e)
		}
	}
	for i, id := range got[:1497] {
		if id != uint64(i)+4 {
			t.Fatalf("after %d comes %d", i+3, id)
		}
	}
	if got[1497] != 2 {
		t.Errorf("the last one is %d", got[1497])
	}
	end()

	// More has changed than is known, and a revision of another run.
	for id := uint64(1501); id <= 30_000; id++ {
		s.Add(entry(delivery(id)), delivery(id))
	}
	get(t, url+"/api/deliveries", &l)
	for _, old := range []string{last.id, "17", "18446744073709551615", "x", ""} {
		next, end = follow(t, url+"/api/stream", old)
		if e := next(); e.kind != "reset" || e.data != fmt.Sprintf(`{"revision":%d}`, l.Revision) {
			t.Errorf("from %q: %+v", old, e)
		}
		end()
	}
}

// Many events at once reach a page in a few messages.
func TestStreamBatches(t *testing.T) {
	s, url := start(t, options())
	var l list
	get(t, url+"/api/deliveries", &l)
	next, end := follow(t, fmt.Sprintf("%s/api/stream?since=%d", url, l.Revision), "")
	defer end()
	const total = 2000
	for id := uint64(1); id <= total; id++ {
		s.Add(entry(delivery(id)), delivery(id))
	}
	messages, seen := 0, 0
	for begin := time.Now(); seen < total && time.Since(begin) < 10*time.Second; messages++ {
		var all []inspect.Entry
		if err := json.Unmarshal([]byte(next().data), &all); err != nil {
			t.Fatal(err)
		}
		seen += len(all)
	}
	if seen != total || messages > 20 {
		t.Errorf("%d events in %d messages", seen, messages)
	}
}

func TestPageSize(t *testing.T) {
	_, url := start(t, options())
	total := 0
	for _, file := range []string{"/", "/style.css", "/app.mjs", "/icon.svg"} {
		status, text, header := ask(t, "GET", url+file, "")
		if status != http.StatusOK || header.Get("Content-Type") == "" {
			t.Errorf("%s: %d", file, status)
		}
		total += len(text)
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http://cdn", "https://"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %s", file, bad)
			}
		}
	}
	const limit = 80_000
	if total >= limit {
		t.Errorf("the page has %d bytes, want less than %d", total, limit)
	}
}

func ExampleServer() {
	s := inspect.New(inspect.Options{State: inspect.State{Listening: "http://127.0.0.1:2255/"}})
	s.Add(inspect.Entry{ID: 1, Event: "call.missed", Verdict: "valid", Level: inspect.Good}, &webhook.Delivery{ID: 1})
	server := httptest.NewServer(s)
	defer server.Close()
	resp, err := http.Get(server.URL + "/api/state")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	fmt.Println(string(text), err)
	// Output: {"version":"","listening":"http://127.0.0.1:2255/","targets":[],"capture":""} <nil>
}
