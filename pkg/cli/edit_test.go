package cli

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
)

func TestParseAssignment(t *testing.T) {
	for _, tt := range []struct {
		in       string
		asString bool
		path     []string
		raw      string
		fails    bool
	}{
		{in: "data.duration=42", path: []string{"data", "duration"}, raw: "42"},
		{in: "data.notes=hi there", path: []string{"data", "notes"}, raw: `"hi there"`},
		{in: "data.notes=", path: []string{"data", "notes"}, raw: `""`},
		{in: "a=b=c", path: []string{"a"}, raw: `"b=c"`},
		{in: `a={"x": [1]}`, path: []string{"a"}, raw: `{"x": [1]}`},
		{in: "a=42", asString: true, path: []string{"a"}, raw: `"42"`},
		{in: "a=<&>", path: []string{"a"}, raw: `"<&>"`},
		{in: `a\.b.c\=d=1`, path: []string{"a.b", "c=d"}, raw: "1"},
		{in: "/data/a~1b/c~0d=1", path: []string{"data", "a/b", "c~d"}, raw: "1"},
		{in: "data", fails: true},
		{in: "=1", fails: true},
		{in: "/=1", fails: true},
		{in: "a..b=1", fails: true},
		{in: "", fails: true},
	} {
		got, err := parseAssignment(tt.in, tt.asString)
		if (err != nil) != tt.fails {
			t.Errorf("parseAssignment(%q): error %v", tt.in, err)
			continue
		}
		if !slices.Equal(got.path, tt.path) || got.raw != tt.raw {
			t.Errorf("parseAssignment(%q) = %q %s, want %q %s", tt.in, got.path, got.raw, tt.path, tt.raw)
		}
	}
}

// FuzzAssignment holds that whatever is accepted as an assignment leaves valid
// JSON, with the value where the path leads, or is refused.
func FuzzAssignment(f *testing.F) {
	const payload = `{"event":"x","data":{"a":1,"b":[1,{"c":null}],"d.e":true,"":2,"7":8},"z":"\u00e9"}`
	for _, seed := range []string{
		"data.a=2", "data.b.1.c=x", "data.b.-1=3", `data.d\.e=4`, "/data/b/0=5", "event.x=1", "data.#.a=1",
		"data.*=1", "data.@reverse=1", "a|b=1", "data.7=9", "data.:7=9", `data.\=1`, "z=\xff", "data.b.99999=1", "!=1", "data.b={\"a\":1",
	} {
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, asString bool) {
		s, err := parseAssignment(text, asString)
		if err != nil || !s.matches([]byte(payload), nil) {
			return
		}
		changed, err := s.apply([]byte(payload))
		if err != nil {
			return
		}
		if !json.Valid(changed) {
			t.Fatalf("%q leaves %s", text, changed)
		}
		if got := gjson.GetBytes(changed, sjsonPath(s.path)); got.Raw != s.raw {
			t.Fatalf("%q leaves %s at its path, want %s: %s", text, got.Raw, s.raw, changed)
		}
	})
}

func TestRefresh(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	known := []schema.Field{
		{Path: []string{"timestamp"}, Format: "date-time"},
		{Path: []string{"data", "call_id"}, Required: true},
		{Path: []string{"data", "agent_id"}},
		{Path: []string{"data", "done_at"}, Format: "date-time"},
	}
	r := newRefresher(func() time.Time { return now })
	in := `{"timestamp":"2026-03-12T14:36:05Z","data":{"call_id":"call_8f3A","agent_id":42,"done_at":"2026-03-12T14:36:04Z"}}`
	first, err := r.refresh([]byte(in), known)
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.refresh([]byte(in), known)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("the same payload became\n%s and\n%s", first, second)
	}
	id := gjson.GetBytes(first, "data.call_id").String()
	if id == "call_8f3A" || len(id) != len("call_8f3A") || id[:5] != "call_" {
		t.Errorf("call_8f3A became %s", id)
	}
	for path, want := range map[string]string{
		"timestamp": "2030-01-02T03:04:05Z", "data.done_at": "2030-01-02T03:04:04Z", "data.agent_id": "42",
	} {
		if got := gjson.GetBytes(first, path).String(); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}
