package deliver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// quiet keeps the complaints of a test server out of the log.
func quiet(s *httptest.Server) *httptest.Server {
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := quiet(httptest.NewUnstartedServer(h))
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(code)
		if code != http.StatusNoContent {
			_, _ = io.WriteString(w, "body")
		}
	}
}

func do(t *testing.T, url string) deliver.Outcome {
	t.Helper()
	return deliver.NewClient(deliver.Options{Timeout: 5 * time.Second, UserAgent: "test"}).Do(t.Context(), &webhook.Delivery{URL: url, Body: []byte(`{}`)})
}

func TestDoStatus(t *testing.T) {
	tests := []struct {
		code     int
		class    deliver.Class
		location string
		body     string
	}{
		{200, deliver.OK, "", "body"},
		{201, deliver.OK, "", "body"},
		{204, deliver.OK, "", ""},
		{302, deliver.Redirect, "/elsewhere", "body"},
		{307, deliver.Redirect, "/elsewhere", "body"},
		{400, deliver.Status, "", "body"},
		{404, deliver.Status, "", "body"},
		{500, deliver.Status, "", "body"},
		{503, deliver.Status, "", "body"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.code), func(t *testing.T) {
			var requests atomic.Int32
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				status(tt.code)(w, r)
			})
			o := do(t, url)
			if o.Class != tt.class || o.Status != tt.code || o.Location != tt.location || string(o.Body) != tt.body || o.Err != nil {
				t.Errorf("got %+v", o)
			}
			if o.OK() != (tt.class == deliver.OK) {
				t.Errorf("OK is %v", o.OK())
			}
			if o.Latency <= 0 || o.Header == nil {
				t.Errorf("latency %v, header %v", o.Latency, o.Header)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests were made, want 1", n)
			}
		})
	}
}

func TestDoFailures(t *testing.T) {
	refused := func(t *testing.T) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		return "http://" + ln.Addr().String()
	}
	hijack := func(answer string) func(*testing.T) string {
		return func(t *testing.T) string {
			return serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, answer)
				_ = conn.Close()
			})
		}
	}
	tests := []struct {
		name    string
		url     func(*testing.T) string
		timeout time.Duration
		class   deliver.Class
		status  int
	}{
		{"refused", refused, 5 * time.Second, deliver.Refused, 0},
		{"closed at once", hijack(""), 5 * time.Second, deliver.Closed, 0},
		{"closed in the header", hijack("HTTP/1.1 200 OK\r\nA: "), 5 * time.Second, deliver.Closed, 0},
		{"closed in the body", hijack("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"), 5 * time.Second, deliver.Closed, 200},
		{"not HTTP", hijack("SSH-2.0-x\r\n"), 5 * time.Second, deliver.Failed, 0},
		{"timeout before the header", func(t *testing.T) string {
			return serve(t, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			})
		}, 50 * time.Millisecond, deliver.Timeout, 0},
		{"timeout in the body", func(t *testing.T) string {
			return serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			})
		}, 200 * time.Millisecond, deliver.Timeout, 200},
		{"self-signed", func(t *testing.T) string {
			s := quiet(httptest.NewUnstartedServer(status(200)))
			s.StartTLS()
			t.Cleanup(s.Close)
			return s.URL
		}, 5 * time.Second, deliver.TLS, 0},
		{"https to a server of http", func(t *testing.T) string {
			return strings.Replace(serve(t, status(200)), "http://", "https://", 1)
		}, 5 * time.Second, deliver.TLS, 0},
		{"no URL", func(*testing.T) string { return "http://127.0.0.1:x/" }, 5 * time.Second, deliver.Failed, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := deliver.NewClient(deliver.Options{Timeout: tt.timeout, UserAgent: "test"}).Do(t.Context(), &webhook.Delivery{URL: tt.url(t), Body: []byte(`{}`)})
			if o.Class != tt.class || o.Status != tt.status || o.OK() || o.Err == nil {
				t.Fatalf("got %s, status %d, %v, want %s, %d", o.Class, o.Status, o.Err, tt.class, tt.status)
			}
			if strings.Contains(o.Err.Error(), "Post ") {
				t.Errorf("the error %q repeats the request", o.Err)
			}
		})
	}
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]deliver.Class{
		"http: server closed idle connection": deliver.Closed, "http: server gave HTTP response to HTTPS client": deliver.TLS, "something else": deliver.Failed,
	} {
		if got := deliver.Classify(errors.New(text)); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestDoCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	client := deliver.NewClient(deliver.Options{Timeout: 5 * time.Second})
	if o := client.Do(ctx, &webhook.Delivery{URL: url}); o.Class != deliver.Canceled {
		t.Errorf("under way: got %s, %v", o.Class, o.Err)
	}
	if o := client.Do(ctx, &webhook.Delivery{URL: url}); o.Class != deliver.Canceled || o.Status != 0 {
		t.Errorf("before: got %s, %v", o.Class, o.Err)
	}
}

// A response without an end is cut, and does not keep the client.
func TestDoEndless(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := bytes.Repeat([]byte("x"), 4096)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	o := do(t, url)
	if o.Class != deliver.OK || len(o.Body) != deliver.MaxResponse {
		t.Errorf("got %s, %v and %d bytes, want %d", o.Class, o.Err, len(o.Body), deliver.MaxResponse)
	}
}

func TestDoRequest(t *testing.T) {
	body := make([]byte, 256)
	for i := range body {
		body[i] = byte(i)
	}
	type request struct {
		method, target, host string
		header               http.Header
		length               int64
		body                 []byte
	}
	tests := []struct {
		name     string
		delivery webhook.Delivery
		want     request
	}{
		{
			"plain",
			webhook.Delivery{Body: body},
			request{method: "POST", target: "/", header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"agent/1"}}},
		},
		{"empty body", webhook.Delivery{}, request{method: "POST", target: "/"}},
		{"json", webhook.Delivery{Body: []byte("{ \"a\":\t1.0,\r\n\"b\": \"<&\\u0041\" }\n\n")}, request{method: "POST", target: "/"}},
		{"method and path", webhook.Delivery{Method: "PUT", URL: "/a%2fb?c=d&c=%20"}, request{method: "PUT", target: "/a%2fb?c=d&c=%20"}},
		{
			"header",
			webhook.Delivery{Header: map[string][]string{"X-A": {"1", "2"}, "User-Agent": {"mine"}, "Content-Type": {"text/plain"}, "Host": {"example.com"}}},
			request{method: "POST", target: "/", host: "example.com", header: http.Header{"X-A": {"1", "2"}, "User-Agent": {"mine"}, "Content-Type": {"text/plain"}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got request
			url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				b, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				got = request{r.Method, r.RequestURI, r.Host, r.Header, r.ContentLength, b}
			})
			d := tt.delivery
			d.URL = url + d.URL
			given := bytes.Clone(d.Body)
			if o := deliver.NewClient(deliver.Options{Timeout: 5 * time.Second, UserAgent: "agent/1"}).Do(t.Context(), &d); !o.OK() {
				t.Fatalf("got %s, %v", o.Class, o.Err)
			}
			if got.method != tt.want.method || got.target != tt.want.target {
				t.Errorf("got %s %s, want %s %s", got.method, got.target, tt.want.method, tt.want.target)
			}
			if tt.want.host != "" && got.host != tt.want.host {
				t.Errorf("host is %q, want %q", got.host, tt.want.host)
			}
			for name, want := range tt.want.header {
				if have := got.header[name]; fmt.Sprint(have) != fmt.Sprint(want) {
					t.Errorf("header %s is %q, want %q", name, have, want)
				}
			}
			if _, ok := got.header["Accept-Encoding"]; ok {
				t.Error("compression is asked for")
			}
			if !bytes.Equal(got.body, given) || got.length != int64(len(given)) {
				t.Errorf("the body arrived as %q with length %d, want %q", got.body, got.length, given)
			}
		})
	}
}

// With Fresh each delivery has a connection of its own.
func TestDoFresh(t *testing.T) {
	for fresh, want := range map[bool]int{false: 1, true: 3} {
		from := map[string]bool{}
		url := serve(t, func(_ http.ResponseWriter, r *http.Request) { from[r.RemoteAddr] = true })
		client := deliver.NewClient(deliver.Options{Timeout: 5 * time.Second, Fresh: fresh})
		for range 3 {
			if o := client.Do(t.Context(), &webhook.Delivery{URL: url}); !o.OK() {
				t.Fatalf("got %s, %v", o.Class, o.Err)
			}
		}
		if len(from) != want {
			t.Errorf("fresh is %v: %d connections, want %d", fresh, len(from), want)
		}
	}
}

// One client serves many goroutines, and mixes nothing up.
func TestDoConcurrent(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	client := deliver.NewClient(deliver.Options{Timeout: 10 * time.Second})
	done := make(chan string)
	const n = 20
	for i := range n {
		go func() {
			body := fmt.Sprint(i)
			o := client.Do(t.Context(), &webhook.Delivery{URL: url, Body: []byte(body)})
			if !o.OK() || string(o.Body) != body {
				done <- fmt.Sprintf("delivery %d: got %s, %q, %v", i, o.Class, o.Body, o.Err)
				return
			}
			done <- ""
		}()
	}
	for range n {
		if fault := <-done; fault != "" {
			t.Error(fault)
		}
	}
}

func TestParseHeader(t *testing.T) {
	tests := []struct {
		name, in, field, value, err string
	}{
		{"plain", "X-Token: abc", "X-Token", "abc", ""},
		{"no space", "x-token:abc", "X-Token", "abc", ""},
		{"spaces", "  X-A :  b c  ", "X-A", "b c", ""},
		{"colon in the value", "X-A: http://b:1", "X-A", "http://b:1", ""},
		{"empty value", "X-A:", "X-A", "", ""},
		{"tab in the value", "X-A: b\tc", "X-A", "b\tc", ""},
		{"beyond ASCII", "X-A: é", "X-A", "é", ""},
		{"host", "host: example.com", "Host", "example.com", ""},
		{"no colon", "X-A", "", "", "has no colon"},
		{"empty", "", "", "", "has no colon"},
		{"no name", ": b", "", "", `has the name ""`},
		{"space in the name", "X A: b", "", "", `has the name "X A"`},
		{"letters beyond ASCII", "é: b", "", "", `has the name "é"`},
		{"line end in the value", "X-A: b\r\nX-C: d", "", "", "control characters"},
		{"NUL in the value", "X-A: b\x00c", "", "", "control characters"},
		{"line end in the name", "X\n-A: b", "", "", "has the name"},
		{"length", "content-length: 3", "", "", "made from the body"},
		{"encoding", "Transfer-Encoding: chunked", "", "", "made from the body"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, value, err := deliver.ParseHeader(tt.in)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %q, %q, %v, want an error with %q", name, value, err, tt.err)
				}
				return
			}
			if name != tt.field || value != tt.value || err != nil {
				t.Errorf("got %q, %q, %v, want %q, %q", name, value, err, tt.field, tt.value)
			}
		})
	}
}

func ExampleClient_Do() {
	handler := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Printf("%s %s %s\n", r.Method, r.URL.Path, body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer handler.Close()

	client := deliver.NewClient(deliver.Options{Timeout: deliver.DefaultTimeout, UserAgent: "example/1.0"})
	outcome := client.Do(context.Background(), &webhook.Delivery{URL: handler.URL + "/hooks", Body: []byte(`{"event": "call.missed"}`)})
	fmt.Println(outcome.Class, outcome.Status)
	// Output:
	// POST /hooks {"event": "call.missed"}
	// ok 202
}
