package check_test

import (
	"context"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/check"
	"github.com/jc-webhooks/jc-webhooks/pkg/check/testdata/handlers"
	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// deadline is long enough for a machine that has other things to do, and short
// enough for handlers that never answer.
const deadline = 1500 * time.Millisecond

func catalog(t testing.TB) *webhook.Catalog {
	t.Helper()
	c, err := webhook.LoadCatalog(fixtures.FS)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start serves a handler and returns its URL.
func start(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	url := "http://" + server.Listener.Addr().String() + "/"
	if specimen, ok := h.(*handlers.Handler); ok {
		specimen.URL = url
	}
	server.Start()
	t.Cleanup(server.Close)
	return url
}

// specimen starts one of the handlers, and returns the options to test it with.
func specimen(t *testing.T, wrong, secret string) check.Options {
	t.Helper()
	h := &handlers.Handler{Wrong: wrong, Secret: secret}
	return check.Options{
		URL: start(t, h), Secret: secret, Deadline: deadline, Seed: 7, UserAgent: "test",
		Count: func(context.Context) (int64, error) { return int64(h.Booked()), nil },
	}
}

// run makes all checks, or those that only selects.
func run(t *testing.T, o check.Options, only ...string) []check.Result {
	t.Helper()
	suite, err := check.New(catalog(t), o)
	if err != nil {
		t.Fatal(err)
	}
	checks, err := check.Select(check.List(catalog(t)), only, nil)
	if err != nil {
		t.Fatal(err)
	}
	var results []check.Result
	err = suite.Run(t.Context(), checks, func(r check.Result) error {
		results = append(results, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// of returns the names of the checks of which a kind came.
func of(results []check.Result, kind check.Kind) []string {
	var names []string
	for i := range results {
		if results[i].Verdict.Kind == kind {
			names = append(names, results[i].Check.ID())
		}
	}
	return names
}

func explain(t *testing.T, results []check.Result) {
	t.Helper()
	for i := range results {
		if v := &results[i].Verdict; v.Kind == check.Fail {
			t.Logf("%s: %s: %+v", results[i].Check.ID(), v.Sent, v.Outcome)
		}
	}
}

// A handler that copes passes every check.
func TestRight(t *testing.T) {
	t.Parallel()
	results := run(t, specimen(t, "", handlers.Secret))
	notes := []string{"signature/altered-body", "signature/replay"}
	if passed := of(results, check.Pass); len(passed)+len(notes) != len(results) || !slices.Equal(of(results, check.Note), notes) {
		t.Errorf("%d of %d pass; failed: %v, blocked: %v, skipped: %v", len(passed), len(results),
			of(results, check.Fail), of(results, check.Blocked), of(results, check.Skip))
		explain(t, results)
	}
}

// Without a secret and a counter, their checks are skipped.
func TestSkipped(t *testing.T) {
	t.Parallel()
	o := specimen(t, "", "")
	o.Count = nil
	results := run(t, o)
	if len(of(results, check.Fail)) > 0 || len(of(results, check.Blocked)) > 0 || len(of(results, check.Skip)) < 10 {
		t.Errorf("failed: %v, blocked: %v, skipped: %v", of(results, check.Fail), of(results, check.Blocked), of(results, check.Skip))
		explain(t, results)
	}
	for i := range results {
		c, v := results[i].Check, &results[i].Verdict
		if v.Kind == check.Skip && c.Group != "signature" && v.Reason != check.NoCounter || c.Group == "signature" && v.Reason != check.NoSecret {
			t.Errorf("%s: %+v", c.ID(), v)
		}
	}
}

// Each wrong handler fails its check, and no other one.
func TestWrong(t *testing.T) {
	t.Parallel()
	if n := len(handlers.Wrong); n < 15 {
		t.Fatalf("only %d wrong handlers", n)
	}
	proved := map[string]bool{}
	var wait sync.WaitGroup
	defer wait.Wait()
	few := make(chan struct{}, 16) // they mostly wait
	for _, wrong := range slices.Sorted(maps.Keys(handlers.Wrong)) {
		want := handlers.Wrong[wrong]
		proved[want] = true
		wait.Go(func() {
			few <- struct{}{}
			defer func() { <-few }()
			t.Run(wrong, func(t *testing.T) { testWrong(t, wrong, want) })
		})
	}
	for _, c := range check.List(catalog(t)) {
		if note := c.Name == "altered-body" || c.Name == "replay"; !proved[c.ID()] && c.Group != "events" && !note {
			t.Errorf("no wrong handler fails %s", c.ID())
		}
	}
}

func testWrong(t *testing.T, wrong, want string) {
	o := specimen(t, wrong, handlers.Secret)
	if want != "deliveries/duplicate-effect" {
		o.Count = nil // it takes its time
	}
	results := run(t, o)
	if failed := of(results, check.Fail); !slices.Equal(failed, []string{want}) {
		t.Errorf("failed: %v, want %s", failed, want)
		explain(t, results)
	}
	for i := range results {
		if v := &results[i].Verdict; v.Kind == check.Fail && v.Reason == "" && (v.Sent == "" || v.Outcome == nil || v.Bad == 0) {
			t.Errorf("%s fails without a fact: %+v", results[i].Check.ID(), v)
		}
	}
	// Only what everything else stands on keeps other checks from being made.
	gates := []string{"signature/accepted", "signature/wrong-key", "deliveries/duplicate"}
	if blocked := of(results, check.Blocked); len(blocked) > 0 && !slices.Contains(gates, want) {
		t.Errorf("blocked: %v", blocked)
	}
}

// What fails for a type as it is, is not blamed on anything else.
func TestWithout(t *testing.T) {
	t.Parallel()
	results := run(t, specimen(t, "fails-one", ""), "payloads/null-fields")
	if v := results[0].Verdict; v.Kind != check.Pass || !slices.Equal(v.Without, []string{"sms.sent"}) {
		t.Errorf("got %+v", v)
	}
}

// A handler that never answers is not asked for ever.
func TestSilent(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	o := check.Options{Deadline: 50 * time.Millisecond, URL: start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))}
	results := run(t, o)
	if failed := of(results, check.Fail); len(failed) != 3 || requests.Load() != 3 {
		t.Errorf("failed: %v, after %d requests", failed, requests.Load())
	}
	for _, r := range results[3:] {
		if v := r.Verdict; v.Kind == check.Pass || v.Kind == check.Blocked && v.Reason != check.Silent {
			t.Errorf("%s: %+v", r.Check.ID(), v)
		}
	}
}

// A handler that goes down fails the check that it went down in; the rest are not
// made.
func TestGone(t *testing.T) {
	t.Parallel()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.HasPrefix(string(body), "hello") {
			_ = server.Listener.Close()
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(server.Close)
	results := run(t, check.Options{Deadline: deadline, URL: server.URL + "/"})
	if failed := of(results, check.Fail); !slices.Equal(failed, []string{"bodies/malformed-json"}) {
		t.Errorf("failed: %v", failed)
		explain(t, results)
	}
	if last := results[len(results)-1].Verdict; last.Reason != check.NoSecret {
		t.Errorf("the last one: %+v", last)
	}
	if blocked := of(results, check.Blocked); len(blocked) != 8 {
		t.Errorf("blocked: %v", blocked)
	}
}

func TestReach(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	for _, tt := range []struct {
		url      string
		insecure bool
		want     deliver.Class
	}{
		{"http://" + ln.Addr().String() + "/", false, deliver.Refused},
		{"http://no-such-host.invalid/", false, deliver.Unknown},
		{secure.URL, false, deliver.TLS},
		{secure.URL, true, ""},
	} {
		suite, err := check.New(catalog(t), check.Options{URL: tt.url, Insecure: tt.insecure})
		if err != nil {
			t.Fatal(err)
		}
		err = suite.Reach(t.Context())
		var unreachable *check.UnreachableError
		switch {
		case tt.want == "":
			if err != nil {
				t.Errorf("%s: %v", tt.url, err)
			}
		case !errors.As(err, &unreachable) || unreachable.Class != tt.want:
			t.Errorf("%s: got %v, want %s", tt.url, err, tt.want)
		}
	}
}

// An interrupt ends the checks at once.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	url := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}))
	suite, err := check.New(catalog(t), check.Options{URL: url, Deadline: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	err = suite.Run(ctx, check.List(catalog(t)), func(r check.Result) error {
		t.Errorf("told of %s", r.Check.ID())
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// With a seed the same is sent once more.
func TestSeed(t *testing.T) {
	t.Parallel()
	bodies := func(seed uint64) string {
		var b strings.Builder
		at := time.Date(2026, 3, 12, 14, 30, 0, 0, time.UTC)
		o := check.Options{Seed: seed, Now: func() time.Time { return at }, URL: start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(&b, r.Body)
		}))}
		run(t, o, "payloads", "out-of-order", "bodies")
		return b.String()
	}
	one := bodies(1)
	if one != bodies(1) {
		t.Error("the same seed makes other bodies")
	}
	if one == bodies(2) {
		t.Error("another seed makes the same bodies")
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		only, skip []string
		want       string // names, or a part of the error behind "!"
	}{
		{[]string{"null-fields"}, nil, "payloads/null-fields"},
		{[]string{"probes"}, nil, "probes/get probes/head probes/empty-post"},
		{[]string{"probes/*"}, []string{"head"}, "probes/get probes/empty-post"},
		{[]string{"events/sms.*"}, nil, "events/sms.delivered events/sms.received events/sms.sent"},
		{[]string{"sms.sent", "get"}, nil, "events/sms.sent probes/get"},
		{[]string{"get"}, []string{"probes"}, ""},
		{[]string{"gte"}, nil, `!no check is "gte"`},
		{nil, []string{"nope"}, `!no check is "nope"`},
		{[]string{"["}, nil, `!"[" is no pattern of checks`},
		{[]string{""}, nil, `!"" is no pattern of checks`},
	} {
		checks, err := check.Select(check.List(catalog(t)), tt.only, tt.skip)
		var names []string
		for _, c := range checks {
			names = append(names, c.ID())
		}
		if says, ok := strings.CutPrefix(tt.want, "!"); ok {
			if err == nil || err.Error() != says {
				t.Errorf("%v without %v: got %v, want %s", tt.only, tt.skip, err, says)
			}
		} else if err != nil || strings.Join(names, " ") != tt.want {
			t.Errorf("%v without %v: got %v, %v", tt.only, tt.skip, names, err)
		}
	}
}

// Names are unique, short and made to be typed, and every check says what it is and
// is in the guide.
func TestList(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/testing-a-handler.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range check.List(catalog(t)) {
		if seen[c.ID()] || strings.Trim(c.ID(), "abcdefghijklmnopqrstuvwxyz-./") != "" || len(c.ID()) > 30 {
			t.Errorf("the name %q is there twice, or odd", c.ID())
		}
		seen[c.ID()] = true
		if c.Group != "events" && !strings.Contains(string(guide), "`"+c.ID()+"`") {
			t.Errorf("the guide does not have %s", c.ID())
		}
		if c.What == "" || c.Right == "" {
			t.Errorf("%s says too little", c.ID())
		}
	}
}
