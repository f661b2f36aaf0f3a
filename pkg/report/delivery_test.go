package report_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

func TestResponse(t *testing.T) {
	tests := []struct {
		name    string
		outcome deliver.Outcome
		want    string // of the first line
		help    bool   // a diagnosis follows
	}{
		{"ok", deliver.Outcome{Class: deliver.OK, Status: 200, Body: []byte("ok"), Latency: 5 * time.Millisecond}, "<-- 200 OK  5ms", false},
		{"unnamed status", deliver.Outcome{Class: deliver.OK, Status: 299, Latency: time.Second}, "<-- 299  1s", false},
		{"failed", deliver.Outcome{Class: deliver.Status, Status: 500, Body: []byte("a\n  b\x1b[2J"), Latency: time.Second}, `<-- 500 Internal Server Error  1s  a b\x1b[2J`, true},
		{"redirect", deliver.Outcome{Class: deliver.Redirect, Status: 302, Location: "/x", Latency: time.Second}, "<-- 302 Found  1s", true},
		{"refused", deliver.Outcome{Class: deliver.Refused, Err: errors.New("dial: no"), Latency: time.Second}, "<-- refused  1s  dial: no", true},
		{"cut off", deliver.Outcome{Class: deliver.Closed, Status: 200, Err: errors.New("unexpected EOF"), Latency: time.Second}, "<-- closed  1s  unexpected EOF", true},
		{"canceled", deliver.Outcome{Class: deliver.Canceled, Err: errors.New("context canceled"), Latency: time.Second}, "<-- canceled  1s  context canceled", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first, help := report.Style{}.Response(0, &tt.outcome), report.Style{}.Hint(report.Diagnosis(&tt.outcome))
			if first != tt.want || (help != "") != tt.help {
				t.Errorf("got %q and %q, want %q", first, help, tt.want)
			}
		})
	}
}

func TestSentJSON(t *testing.T) {
	sent := report.Sent{Event: "a<b>", URL: "http://h/?a&b", Bytes: 3, Outcome: deliver.Outcome{
		Class: deliver.Status, Status: 500, Body: []byte("\xff\x1b"), Latency: 1500 * time.Microsecond,
	}}
	text, err := sent.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"event": "a<b>", "url": "http://h/?a&b", "bytes": 3.0, "ok": false, "outcome": "status", "status": 500.0, "latency_ms": 1.5,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if strings.Contains(string(text), "\n") || strings.Contains(string(text), `\u003c`) {
		t.Errorf("got %s, want one line without escapes for HTML", text)
	}
}

// What a sender chooses does not reach a terminal as it is.
func TestReceived(t *testing.T) {
	d := &webhook.Delivery{ID: 1, Method: "POST", URL: "/\u202e" + strings.Repeat("x", 500), Body: make([]byte, 20_000)}
	got := report.Style{}.Received(d, &validate.Result{Event: "\x1b[2J" + strings.Repeat("y", 500)})
	if strings.ContainsAny(got, "\x1b\u202e\n") || len(got) > 300 {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(got, "20 kB") || !strings.Contains(got, "unknown event") {
		t.Errorf("got %q, want the size and the verdict", got)
	}
}

func TestBody(t *testing.T) {
	syntax := []schema.Problem{{Keyword: schema.KeywordSyntax, Message: "no"}}
	tests := []struct {
		name, body string
		problems   []schema.Problem
		want       string
	}{
		{"empty", "", syntax, "(no body)\n  error: no\n"},
		{"json", `{"a":1}`, nil, "{\n  \"a\": 1\n}\n"},
		{"text", "a\r\nb\x1b[2J and so on", syntax, "a\nb\\x1b[2J and so on\n  error: no\n"},
		{"binary", "\xff\x00", syntax, "00000000  ff 00                                             |..|\n  error: no\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (report.Style{}).Body([]byte(tt.body), &validate.Result{Problems: tt.problems}); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	many := make([]schema.Problem, 1000)
	if got := (report.Style{}).Body([]byte("1"), &validate.Result{Problems: many}); strings.Count(got, "\n") > 50 || !strings.Contains(got, "980 more problems") {
		t.Errorf("got %d lines for 1000 problems", strings.Count(got, "\n"))
	}
	for _, body := range []string{strings.Repeat("a", 100_000), strings.Repeat("\xff", 100_000)} {
		if got := (report.Style{}).Body([]byte(body), &validate.Result{Problems: syntax}); len(got) > 10_000 || !strings.Contains(got, " more)") {
			t.Errorf("%d bytes are shown of a long body", len(got))
		}
	}
}
