package schema_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
)

func TestCompileErrors(t *testing.T) {
	tests := []struct {
		name, source string
		want         string // line:column and pointer
		says         string
	}{
		{"empty", "", "1:1 ", "the text is empty"},
		{"cut off", "{\n", "2:1 ", "unexpected end of JSON"},
		{"array", "[]", "1:1 ", "want boolean or object"},
		{"number", " 1", "1:2 ", "want boolean or object"},
		{"unknown type", `{"type": "strin"}`, "1:10 /type", `got string "strin"`},
		{"type in depth", "{\n \"properties\": {\"a\": {\"type\": 1}}}", "2:31 /properties/a/type", "got integer 1"},
		{"bound", `{"minLength": -1}`, "1:15 /minLength", "at least 0"},
		{"required", `{"required": "a"}`, "1:14 /required", "want array"},
		{"pattern", `{"properties": {"a": {"pattern": "["}}}`, "1:34 /properties/a/pattern", "regex"},
		{"duplicate key", `{"a": 1, "a": 2}`, "1:10 /a", "duplicate key"},
		{"$ref to nothing", `{"$ref": "#/$defs/x"}`, "", `nothing is at "#/$defs/x"`},
		{"$ref to a file", `{"$ref": "other.json"}`, "", "outside this schema"},
		{"$ref to the network", `{"$ref": "https://example.com/x"}`, "", "outside this schema"},
		{"$ref to this machine", `{"$ref": "file:///etc/passwd"}`, "", "outside this schema"},
		{"unknown $schema", `{"$schema": "https://example.com/nope"}`, "", "outside this schema"},
		{"older draft", `{"$schema": "http://json-schema.org/draft-07/schema#", "type": "x"}`, "1:64 /type", `got string "x"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := schema.Compile("my.schema.json", []byte(tt.source))
			var fault *schema.CompileError
			if !errors.As(err, &fault) {
				t.Fatalf("got %v, want a *CompileError", err)
			}
			p := fault.Problem
			if got := fmt.Sprintf("%d:%d %s", p.Pos.Line, p.Pos.Column, p.Pointer); tt.want != "" && got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if fault.Name != "my.schema.json" || !strings.HasPrefix(err.Error(), "my.schema.json:") || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %q, want the name and %q", err, tt.says)
			}
			if p.Keyword == "" || p.Severity != schema.Error {
				t.Errorf("got keyword %q and severity %v", p.Keyword, p.Severity)
			}
		})
	}
}

func TestCompile(t *testing.T) {
	for _, source := range []string{
		`true`,
		`{"$id": "https://example.com/x", "$ref": "#/$defs/a", "$defs": {"a": {}}}`,
		`{"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {}}, "$ref": "#/definitions/a"}`,
		`{"$ref": "https://json-schema.org/draft/2020-12/schema"}`,
		"\ufeff{}",
	} {
		if _, err := schema.Compile("s", []byte(source)); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// What would never end to judge by is no schema.
func TestCompileCycle(t *testing.T) {
	for source, want := range map[string]string{
		`{"$ref": "#"}`:              "s:1:1: ",
		`{"allOf": [{"$ref": "#"}]}`: "s:1:1: ",
		"{\"properties\": {\"a\": {\"$ref\": \"#/$defs/x\"}},\n \"$defs\": {\"x\": {\"$ref\": \"#/$defs/y\"}, \"y\": {\"$ref\": \"#/$defs/x\"}}}": "s:2:17: ",
	} {
		_, err := schema.Compile("s", []byte(source))
		if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "refers to itself without end") {
			t.Errorf("%s: %v", source, err)
		}
	}
	if _, err := schema.Compile("s", []byte(`{"properties": {"a": {"$ref": "#"}}}`)); err != nil {
		t.Errorf("a tree: %v", err)
	}
}

// A schema is judged by several goroutines, whose findings do not differ.
func TestConcurrent(t *testing.T) {
	s := compile(t, `{"patternProperties": {"^n": {"properties": {"a": {"format": "email"}}}}}`)
	doc := []byte(`{"n1": {"a": "x"}, "n2": {"b": 1}, "m": 1}`)
	want := facts(s.Explain(doc))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if got := facts(s.Explain(doc)); !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestFields(t *testing.T) {
	s := compile(t, `{
		"required": ["id"],
		"properties": {
			"id": {"type": "string", "description": "The id."},
			"kind": {"const": "x"},
			"tags": {"type": "array", "items": {"type": ["string", "integer"]}},
			"when": {"type": ["null", "string"], "format": "date-time"},
			"who": {"$ref": "#/$defs/person"}
		},
		"$defs": {"person": {
			"type": "object",
			"required": ["mail"],
			"properties": {"mail": {"type": "string", "format": "email"}, "a/b": {"enum": [1, null]}}
		}}
	}`)
	var got []string
	for _, f := range s.Fields() {
		got = append(got, fmt.Sprintf("%s %v required=%v nullable=%v %s%s", f.Pointer(), f.Types, f.Required, f.Nullable, f.Format, f.Description))
	}
	want := []string{
		"/id [string] required=true nullable=false The id.",
		"/kind [string] required=false nullable=false ",
		"/tags [array of integer or string] required=false nullable=false ",
		"/when [string] required=false nullable=true date-time",
		"/who [object] required=false nullable=false ",
		"/who/a~1b [number] required=false nullable=true ",
		"/who/mail [string] required=true nullable=false email",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The fields of a schema that refers to itself have an end.
func TestFieldsOfRecursion(t *testing.T) {
	got := compile(t, `{"properties": {"next": {"$ref": "#"}}}`).Fields()
	if len(got) == 0 || len(got) > 100 {
		t.Errorf("got %d fields", len(got))
	}
}

func TestNearest(t *testing.T) {
	names := []string{"call.answered", "call.completed", "call.missed", "sms.received", "sms.sent"}
	tests := []struct {
		name, in string
		limit    int
		want     []string
	}{
		{"typo", "call.complete", 3, []string{"call.completed"}},
		{"swapped letters", "sms.setn", 3, []string{"sms.sent"}},
		{"case and separators", "CallCompleted", 3, []string{"call.completed"}},
		{"underscore", "sms_received", 1, []string{"sms.received"}},
		{"beginning", "call", 3, []string{"call.missed", "call.answered", "call.completed"}},
		{"limit", "call", 2, []string{"call.missed", "call.answered"}},
		{"itself", "sms.sent", 3, nil},
		{"far", "invoice", 3, nil},
		{"empty", "", 3, nil},
		{"short", "s", 3, nil},
		{"endless", strings.Repeat("call.", 1000), 3, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := schema.Nearest(tt.in, names, tt.limit); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func ExampleSchema_Explain() {
	s, err := schema.Compile("order.schema.json", []byte(`{
		"required": ["id"],
		"properties": {"id": {"type": "string"}, "total": {"type": "number"}}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range s.Explain([]byte("{\n  \"id\": 7,\n  \"totl\": 1\n}")) {
		fmt.Println(p)
	}
	// Output:
	// 1:1: warning: the documented property "total" is absent
	// 2:9: error: /id: got integer 7, want string
	// 3:3: warning: /totl: property "totl" is not documented; did you mean "total"?
}
