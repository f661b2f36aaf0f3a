package report_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
)

// verdict makes a verdict with one error that marks the first occurrence of
// mark in the payload.
func verdict(t *testing.T, payload, mark string) *validate.Verdict {
	t.Helper()
	at := strings.Index(payload, mark)
	if at < 0 {
		t.Fatalf("%q is not in the payload", mark)
	}
	v := &validate.Verdict{File: "a.json", Pos: schema.Position{Line: 1, Column: 1}, Payload: []byte(payload)}
	v.Problems = []schema.Problem{{
		Pos: schema.Locate(v.Payload, at), Length: len(mark), Pointer: "/a", Keyword: "type", Message: "got it wrong",
	}}
	return v
}

// options are those of a run that took no time.
func options(style report.Style, quiet bool) report.Options {
	return report.Options{Style: style, Quiet: quiet, Now: func() time.Time { return time.Time{} }}
}

// fixed is a clock that stands still.
func fixed() time.Time { return time.Date(2026, 3, 12, 14, 30, 0, 0, time.UTC) }

func write(t *testing.T, format string, o report.Options, s validate.Summary, verdicts ...*validate.Verdict) string {
	t.Helper()
	var b strings.Builder
	o.Now = fixed
	r := report.NewReporter(format, &b, o)
	if err := r.Begin("a.json"); err != nil {
		t.Fatal(err)
	}
	for _, v := range verdicts {
		if err := r.Report(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.End("a.json", s, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(&validate.Tally{Summary: s}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	v := verdict(t, "{\n  \"a\": 1\n}", "1")
	warning := v.Problems[0]
	warning.Severity, warning.Pointer, warning.Message = schema.Warning, "", "odd\x1b[2J"
	v.Problems = append(v.Problems, warning)
	sum := validate.Summary{Files: 1, Payloads: 1200, Valid: 1199, Invalid: 1, Errors: 1, Warnings: 1}
	got := write(t, "text", report.Options{Quiet: true}, sum, v)
	want := "a.json:2:8: error: /a: got it wrong\na.json:2:8: warning: odd\\x1b[2J\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	got = write(t, "text", report.Options{}, sum)
	want = "1,200 payloads in 1 file: 1,199 valid, 1 invalid, 1 error, 1 warning (0s)\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// The caret stands under what it marks, and a line fits the terminal.
func TestSnippet(t *testing.T) {
	long := strings.Repeat("x", 100)
	tests := []struct {
		name, payload, mark string
		line, caret         string // what stands behind the bar
	}{
		{"short", `{"a": 12}`, "12", `{"a": 12}`, `      ^^`},
		{"second line", "{\n  \"a\": true\n}", "true", `  "a": true`, `       ^^^^`},
		{"tabs", "{\n\t\t\"a\":\t1}", "1", `  "a": 1}`, `       ^`},
		{"emoji", `{"😀é": 1}`, "1", `{"😀é": 1}`, `       ^`},
		{"marked emoji", `{"a": "😀é"}`, `"😀é"`, `{"a": "😀é"}`, `      ^^^^`},
		{"control characters", "{\"\x1b[31m\u202e\": 7}", "7", "{\"\ufffd[31m\ufffd\": 7}", `           ^`},
		{"not UTF-8", "{\"\xff\xfe\": 1}", "1", "{\"\ufffd\ufffd\": 1}", `       ^`},
		{"several lines are marked", "{\"a\": [\n1]}", "[\n1]", `{"a": [`, `      ^`},
		{"long after", `{"a": 1, "` + long + `"}`, "1", `{"a": 1, "xxxxxxxxxxxxxxxxxxx...`, `      ^`},
		{"long before", `{"` + long + `": 1}`, "1", `...xxxxxxx": 1}`, `             ^`},
		{"long marked", `{"a": "` + long + `"}`, `"` + long + `"`, `{"a": "xxxxxxxxxxxxxxxxxxxxxxxxx`, `      ^^^^^^^^^^^^^^^^^^^^^^^^^^`},
		{"long everywhere", `{"` + long + `": "` + long + `", "` + long + `"`, `"` + long + `", `, `...xxxxxxx": "xxxxxxxxxxxxxxxxxx`, `             ^^^^^^^^^^^^^^^^^^^`},
		{"emoji long before", `{"` + strings.Repeat("😀", 100) + `": 1}`, "1", `...😀😀😀😀😀😀😀": 1}`, `             ^`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := write(t, "text", report.Options{Style: report.Style{Terminal: true, Width: 40}, Quiet: true}, validate.Summary{}, verdict(t, tt.payload, tt.mark))
			lines := strings.Split(got, "\n")
			if len(lines) != 4 || lines[3] != "" {
				t.Fatalf("got %q, want three lines", got)
			}
			_, line, _ := strings.Cut(lines[1], " | ")
			_, caret, _ := strings.Cut(lines[2], " | ")
			if line != tt.line || caret != tt.caret {
				t.Errorf("got\n%s\n%s\nwant\n%s\n%s", line, caret, tt.line, tt.caret)
			}
			if strings.Index(lines[1], "|") != strings.Index(lines[2], "|") {
				t.Errorf("the bars do not align:\n%s\n%s", lines[1], lines[2])
			}
			for _, l := range lines[1:3] {
				if n := utf8.RuneCountInString(l); n > 40 {
					t.Errorf("a line of %d columns: %s", n, l)
				}
			}
		})
	}
}

// A problem at the end of a text has a caret behind the last character.
func TestSnippetAtEnd(t *testing.T) {
	v := verdict(t, `{"a"`, `"a"`)
	v.Problems[0].Pos = schema.Locate(v.Payload, len(v.Payload))
	v.Problems[0].Length = 1
	got := write(t, "text", report.Options{Style: report.Style{Terminal: true, Width: 40}, Quiet: true}, validate.Summary{}, v)
	if want := "   1 | {\"a\"\n     |     ^\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestReportJSON(t *testing.T) {
	v := verdict(t, "{\n  \"<a>\": 1\n}", "1")
	v.Event = "call.missed"
	v.Problems[0].Message = "<got> it\n\u2028\x1b\"wrong\""
	sum := validate.Summary{Files: 1, Payloads: 3, Valid: 1, Invalid: 2, Errors: 2}
	for _, n := range []int{0, 1, 2} {
		verdicts := slices.Repeat([]*validate.Verdict{v}, n)
		got := write(t, "json", report.Options{Style: report.Style{Color: true, Terminal: true}}, sum, verdicts...)
		var read struct {
			Problems []report.Problem
			Summary  validate.Summary
		}
		dec := json.NewDecoder(strings.NewReader(got))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&read); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		if dec.More() || !strings.HasSuffix(got, "}\n") {
			t.Errorf("more than one value, or no line end: %q", got)
		}
		if read.Problems == nil || len(read.Problems) != n || read.Summary != sum {
			t.Fatalf("got %+v, want %d problems and %+v", read, n, sum)
		}
		want := report.Problem{
			File: "a.json", Line: 2, Column: 10, Offset: 11, Pointer: "/a", Keyword: "type", Severity: "error", Event: "call.missed",
			Message: v.Problems[0].Message,
		}
		for _, p := range read.Problems {
			if p != want {
				t.Errorf("got %+v, want %+v", p, want)
			}
		}
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// What could not be written is an error at the end, at the latest.
func TestReporterError(t *testing.T) {
	broken := errors.New("disk full")
	for _, format := range report.Formats {
		r := report.NewReporter(format, brokenWriter{broken}, options(report.Style{}, false))
		_ = r.Report(verdict(t, "1", "1"))
		if err := r.Close(new(validate.Tally)); !errors.Is(err, broken) {
			t.Errorf("%s: got %v", format, err)
		}
	}
}

// Of problems that are alike the text shows the first few.
func TestBrief(t *testing.T) {
	var verdicts []*validate.Verdict
	for i := range 10 {
		v := verdict(t, "1", "1")
		v.Ranks = []int{i + 1}
		verdicts = append(verdicts, v)
	}
	const line = "a.json:1:1: error: /a: got it wrong\n"
	if got := write(t, "text", report.Options{Quiet: true}, validate.Summary{}, verdicts...); got != strings.Repeat(line, report.Brief) {
		t.Errorf("got %q, want %d lines", got, report.Brief)
	}
	if got := write(t, "text", report.Options{Quiet: true, All: true}, validate.Summary{}, verdicts...); got != strings.Repeat(line, 10) {
		t.Errorf("got %q, want 10 lines", got)
	}
}

func TestVerdict(t *testing.T) {
	problem := func(keyword string, severity schema.Severity) []schema.Problem {
		return []schema.Problem{{Keyword: keyword, Severity: severity}}
	}
	tests := []struct {
		want   string
		result validate.Result
	}{
		{"valid", validate.Result{Event: "a", Known: true}},
		{"valid, 1 warning", validate.Result{Event: "a", Known: true, Problems: problem("absent", schema.Warning)}},
		{"invalid", validate.Result{Event: "a", Known: true, Problems: problem("type", schema.Error)}},
		{"unknown event", validate.Result{Event: "b", Problems: problem("event", schema.Warning)}},
		{"no event", validate.Result{Problems: problem("event", schema.Error)}},
		{"not JSON", validate.Result{Problems: problem(schema.KeywordSyntax, schema.Error)}},
		{"not JSON", validate.Result{Problems: problem(schema.KeywordEncoding, schema.Error)}},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			if got := report.Verdict(&tt.result); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
