package validate_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

func load(t testing.TB, folders ...fs.FS) *webhook.Catalog {
	t.Helper()
	c, err := webhook.LoadCatalog(folders...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func checker(t testing.TB, options validate.Options, folders ...fs.FS) *validate.Checker {
	t.Helper()
	if len(folders) == 0 {
		folders = []fs.FS{fixtures.FS}
	}
	c, err := validate.NewChecker(load(t, folders...), options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

// facts writes problems without their messages: "1:2 error /a type".
func facts(problems []schema.Problem) []string {
	got := []string{}
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%d:%d %v %s %s", p.Pos.Line, p.Pos.Column, p.Severity, p.Pointer, p.Keyword))
	}
	return got
}

func TestSamples(t *testing.T) {
	catalog := load(t, fixtures.FS)
	c := checker(t, validate.Options{Strict: true})
	for _, typ := range catalog.Types() {
		r := c.Check(typ.Sample)
		if !r.Known || r.Event != typ.Name || !r.Valid() || len(r.Problems) > 0 {
			t.Errorf("%s: got %+v", typ.Name, r)
		}
	}
	if err := validate.CheckCatalog(catalog); err != nil {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	const (
		live   = `{"request_id": "r", "webhook_url": "u", "type": "jc.x", "data": {}}`
		broken = `{"event": "call.missed"`
	)
	unknown := validate.Options{AllowUnknown: true}
	strict := validate.Options{Strict: true}
	named := validate.Options{Event: "contact.created"}
	minimal := `{"event": "contact.created", "timestamp": "2026-03-12T14:45:00Z", "data": {"contact_id": 1, "first_name": "a", "last_name": "b", "phone": null, "email": null, "company": null, "source": "api"}}`
	drift := strings.Replace(minimal, `"contact_id"`, `"x": 1, "contact_id"`, 1)
	tests := []struct {
		name    string
		options validate.Options
		payload string
		event   string
		known   bool
		want    []string
	}{
		{"valid", validate.Options{}, minimal, "contact.created", true, nil},
		{"unknown", validate.Options{}, `{"event": "call.complete"}`, "call.complete", false, []string{"1:11 error /event event"}},
		{"unknown, allowed", unknown, `{"event": "call.complete"}`, "call.complete", false, []string{"1:11 warning /event event"}},
		{
			"unknown, allowed, strict",
			validate.Options{AllowUnknown: true, Strict: true},
			`{"event": "call.complete"}`, "call.complete", false,
			[]string{"1:11 error /event event"},
		},
		{"live", validate.Options{}, live, "jc.x", false, []string{"1:1 error  event"}},
		{"live, allowed", unknown, live, "jc.x", false, []string{"1:1 warning  event"}},
		{"type alone is not live", unknown, `{"type": "x", "data": {}}`, "", false, []string{"1:1 error  event"}},
		{"no event", validate.Options{}, ` {"timestamp": 1}`, "", false, []string{"1:2 error  event"}},
		{"no event, allowed", unknown, `{}`, "", false, []string{"1:1 error  event"}},
		{"event of another type", validate.Options{}, "{\"event\":\n 7}", "", false, []string{"2:2 error /event event"}},
		{"event of another type, allowed", unknown, `{"event": null}`, "", false, []string{"1:11 error /event event"}},
		{"empty event", validate.Options{}, `{"event": ""}`, "", false, []string{"1:11 error /event event"}},
		{"array", validate.Options{}, `[1]`, "", false, []string{"1:1 error  type"}},
		{"scalar", unknown, `"call.missed"`, "", false, []string{"1:1 error  type"}},
		{"not JSON", validate.Options{}, broken, "", false, []string{"1:24 error  syntax"}},
		{"not JSON, allowed", unknown, broken, "", false, []string{"1:24 error  syntax"}},
		{"empty", validate.Options{}, "", "", false, []string{"1:1 error  syntax"}},
		{"the last event counts", validate.Options{}, `{"event": "nope", ` + minimal[1:], "contact.created", true, []string{"1:19 error /event duplicate"}},
		{
			"duplicate in an unknown one",
			validate.Options{},
			`{"event": "x", "event": "y"}`, "y", false,
			[]string{"1:16 error /event duplicate", "1:25 error /event event"},
		},
		{"drift", validate.Options{}, drift, "contact.created", true, []string{"1:76 warning /data/x undocumented"}},
		{"drift, strict", strict, drift, "contact.created", true, []string{"1:76 error /data/x undocumented"}},
		{"byte order mark", validate.Options{}, "\ufeff" + minimal, "contact.created", true, []string{"1:1 warning  bom"}},
		{"byte order mark, strict", strict, "\ufeff" + minimal, "contact.created", true, []string{"1:1 error  bom"}},
		{"named", named, minimal, "contact.created", true, nil},
		{"named, other event", named, strings.Replace(minimal, "created", "updated", 1), "contact.created", true, []string{"1:11 error /event const"}},
		{"named, no object", named, `1`, "contact.created", true, []string{"1:1 error  type"}},
		{"named, not JSON", named, broken, "contact.created", true, []string{"1:24 error  syntax"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := checker(t, tt.options).Check([]byte(tt.payload))
			if r.Event != tt.event || r.Known != tt.known {
				t.Errorf("got event %q, known %v, want %q, %v", r.Event, r.Known, tt.event, tt.known)
			}
			if got := facts(r.Problems); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			errs := slices.ContainsFunc(tt.want, func(s string) bool { return strings.Contains(s, " error ") })
			if r.Valid() == errs {
				t.Errorf("valid is %v", r.Valid())
			}
		})
	}
}

func TestCheckMessages(t *testing.T) {
	tests := []struct {
		name, payload, want string
	}{
		{"did you mean", `{"event": "call.complete"}`, `unknown event type "call.complete"; did you mean "call.completed"?`},
		{"several", `{"event": "sms"}`, `unknown event type "sms"; did you mean "sms.sent" or "sms.received" or "sms.delivered"?`},
		{"nothing near", `{"event": "invoice.paid"}`, `unknown event type "invoice.paid"`},
		{"long", `{"event": "` + strings.Repeat("é", 100) + `"}`, `unknown event type "` + strings.Repeat("é", 30) + `..."`},
		{"control characters", `{"event": "\u001b[2J"}`, `unknown event type "\x1b[2J"`},
		{"missing", `{}`, `no event type: missing property "event"`},
		{"live", `{"type": "x", "request_id": 1, "data": 1}`, "a live JustCall delivery, an envelope that the catalog does not hold yet"},
		{"number", `{"event": 1}`, "got integer, want the name of an event type"},
		{"array", `[]`, "got array, want an object: the payload of an event"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := checker(t, validate.Options{}).Check([]byte(tt.payload))
			if len(r.Problems) != 1 {
				t.Fatalf("got %v, want one problem", r.Problems)
			}
			if got := r.Problems[0].Message; got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestUnknownEventOption(t *testing.T) {
	if _, err := validate.NewChecker(load(t, fixtures.FS), validate.Options{Event: "nope"}); err == nil || !strings.Contains(err.Error(), `"nope"`) {
		t.Errorf("got %v, want an error that names it", err)
	}
}

// A second family is told apart by its own property.
func TestFamilies(t *testing.T) {
	live := files("live/call.missed.json", `{"type": "call.missed"}`,
		"live/call.missed.schema.json", `{"properties": {"type": {"const": "call.missed"}, "data": {"type": "object"}}}`)
	c := checker(t, validate.Options{}, fixtures.FS, live)
	if r := c.Check([]byte(`{"type": "call.missed", "request_id": "r", "data": {}}`)); r.Event != "live/call.missed" || !r.Known {
		t.Errorf("got %+v, want the type of the family", r)
	}
	if r := c.Check([]byte(`{"type": "call.miss", "request_id": "r", "data": {}}`)); r.Known || len(r.Problems) != 1 || r.Problems[0].Pointer != "/type" {
		t.Errorf("got %+v, want a problem with the type", r)
	}
	r := c.Check([]byte(`{}`))
	if want := `no event type: missing property "event" or "type"`; len(r.Problems) != 1 || r.Problems[0].Message != want {
		t.Errorf("got %v, want %s", r.Problems, want)
	}
}

func TestCheckCatalog(t *testing.T) {
	tests := []struct {
		name, sample, schema string
		file                 string
		line                 int
		says                 string
	}{
		{
			"sample breaks its schema", "{\n\"event\": \"x\",\n\"n\": 1}", `{"properties": {"event": {"const": "x"}, "n": {"type": "string"}}}`,
			"x.json", 3, "the sample breaks its schema: /n: got integer 1, want string",
		},
		{"sample of another event", `{"event": "y"}`, `{"properties": {"event": {"const": "x"}}}`, "x.json", 1, `/event: got string "y", want "x"`},
		{"not a schema", `{"event": "x"}`, "{\"properties\": {\"event\": {\"const\": \"x\"},\n\"n\": {\"type\": \"strin\"}}}", "x.schema.json", 2, "not a JSON Schema: /properties/n/type"},
		{"duplicate key in a schema", `{"event": "x"}`, `{"properties": {"event": {"const": "x"}}, "title": "", "title": ""}`, "x.schema.json", 1, "duplicate key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := validate.CheckCatalog(load(t, files("x.json", tt.sample, "x.schema.json", tt.schema)))
			var fault *webhook.LoadError
			if !errors.As(err, &fault) {
				t.Fatalf("got %v, want a *webhook.LoadError", err)
			}
			if fault.File != tt.file || fault.Line != tt.line || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %s:%d and %q", err, tt.file, tt.line, tt.says)
			}
		})
	}
	drift := files("x.json", `{"event": "x", "more": 1}`, "x.schema.json", `{"properties": {"event": {"const": "x"}, "less": {}}}`)
	if err := validate.CheckCatalog(load(t, drift)); err != nil {
		t.Errorf("warnings count: %v", err)
	}
}

// A schema that does not compile is a problem of each payload, not a panic.
func TestCheckWithBrokenSchema(t *testing.T) {
	c := checker(t, validate.Options{}, files("x.json", `{}`, "x.schema.json", `{"properties": {"event": {"const": "x"}}, "type": 1}`))
	for range 2 {
		if r := c.Check([]byte(`{"event": "x"}`)); r.Valid() || len(r.Problems) != 1 {
			t.Errorf("got %+v, want one error", r)
		}
	}
}

func TestRead(t *testing.T) {
	const text = "{\"event\": \"nope\"}\n" +
		"[{\"event\":\n    7},\n {\"event\": \"call.missed\"\n]"
	c := checker(t, validate.Options{})
	var got []string
	var sum validate.Tally
	err := c.Read(context.Background(), "in.json", strings.NewReader(text), &sum, func(v *validate.Verdict) error {
		for _, p := range v.Problems {
			line, at := v.Source(p)
			got = append(got, fmt.Sprintf("%s:%d:%d %s %s|%s", v.File, p.Pos.Line, p.Pos.Column, p.Keyword, line[:at], line[at:]))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`in.json:1:11 event {"event": |"nope"}`,
		`in.json:3:5 event     |7}`,
		`in.json:5:1 syntax |]`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if want := (validate.Summary{Payloads: 3, Invalid: 3, Errors: 3}); sum.Summary != want {
		t.Errorf("got %+v, want %+v", sum.Summary, want)
	}
}

func TestReadStops(t *testing.T) {
	c := checker(t, validate.Options{})
	enough := errors.New("enough")
	n := 0
	err := c.Read(context.Background(), "-", strings.NewReader("{}\n{}\n{}"), new(validate.Tally), func(*validate.Verdict) error {
		if n++; n == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 2 {
		t.Errorf("got %v after %d verdicts, want the error of emit after 2", err, n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n = 0
	err = c.Read(ctx, "-", strings.NewReader("{}\n{}\n{}"), new(validate.Tally), func(*validate.Verdict) error {
		n++
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || n != 1 {
		t.Errorf("got %v after %d verdicts, want context.Canceled after 1", err, n)
	}
}

func TestSource(t *testing.T) {
	payload := []byte("{\n  \"a\": 1,\n\n}")
	v := validate.Verdict{Pos: schema.Position{Offset: 100, Line: 5, Column: 1}, Payload: payload}
	tests := []struct {
		name   string
		offset int64
		line   string
		at     int
	}{
		{"first", 100, "{", 0},
		{"line end", 101, "{", 1},
		{"second line", 104, `  "a": 1,`, 2},
		{"empty line", 112, "", 0},
		{"last", 113, "}", 0},
		{"end", 114, "}", 1},
		{"before", 99, "", 0},
		{"behind", 115, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			line, at := v.Source(schema.Problem{Pos: schema.Position{Offset: tt.offset}})
			if string(line) != tt.line || at != tt.at {
				t.Errorf("got %q, %d, want %q, %d", line, at, tt.line, tt.at)
			}
			if outside := tt.name == "before" || tt.name == "behind"; outside != (line == nil) {
				t.Errorf("line is %v", line)
			}
		})
	}
	none := validate.Verdict{Pos: schema.Position{Offset: 100, Line: 5, Column: 1}}
	if line, _ := none.Source(schema.Problem{Pos: none.Pos}); line != nil {
		t.Errorf("got %q without a payload", line)
	}
}

func TestSummary(t *testing.T) {
	var s validate.Summary
	verdict := func(severities ...schema.Severity) *validate.Verdict {
		v := new(validate.Verdict)
		for _, severity := range severities {
			v.Problems = append(v.Problems, schema.Problem{Severity: severity})
		}
		return v
	}
	s.Add(verdict())
	s.Add(verdict(schema.Warning, schema.Warning))
	s.Add(verdict(schema.Error, schema.Warning, schema.Error))
	if want := (validate.Summary{Payloads: 3, Valid: 2, Invalid: 1, Errors: 2, Warnings: 3}); s != want {
		t.Errorf("got %+v, want %+v", s, want)
	}
}

func ExampleChecker_Check() {
	catalog, err := webhook.LoadCatalog(fixtures.FS)
	if err != nil {
		fmt.Println(err)
		return
	}
	checker, err := validate.NewChecker(catalog, validate.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	result := checker.Check([]byte(`{"event": "call.complete"}`))
	fmt.Println(result.Valid())
	for _, p := range result.Problems {
		fmt.Println(p)
	}
	// Output:
	// false
	// 1:11: error: /event: unknown event type "call.complete"; did you mean "call.completed"?
}
