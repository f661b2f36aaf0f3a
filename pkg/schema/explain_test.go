package schema_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
)

func compile(t testing.TB, source string) *schema.Schema {
	t.Helper()
	s, err := schema.Compile("test.schema.json", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// facts writes problems without their messages: "1:2 error /a type".
func facts(problems []schema.Problem) []string {
	got := []string{}
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%d:%d %v %s %s", p.Pos.Line, p.Pos.Column, p.Severity, p.Pointer, p.Keyword))
	}
	return got
}

func cut(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

func TestExplain(t *testing.T) {
	const alternatives = `{"properties": {"a": {"oneOf": [
		{"type": "null"},
		{"type": "object", "required": ["x", "y"]},
		{"type": "object", "required": ["z"]}]}}}`
	const conditional = `{"if": {"properties": {"k": {"const": "a"}}}, "then": {"required": ["x"]}, "else": {"required": ["y"]}}`
	tests := []struct {
		name, schema, doc string
		want              []string
	}{
		{"nothing", `true`, `1`, nil},
		{"false", `false`, `1`, []string{"1:1 error  false"}},
		{"type", `{"type": "string"}`, `1`, []string{"1:1 error  type"}},
		{"type holds", `{"type": "string"}`, `"x"`, nil},
		{"types", `{"type": ["string", "null"]}`, ` 1.5`, []string{"1:2 error  type"}},
		{"integer", `{"type": "integer"}`, `1.5`, []string{"1:1 error  type"}},
		{"integer with a point", `{"type": "integer"}`, `1.0`, nil},
		{"integer with an exponent", `{"type": "integer"}`, `10e2`, nil},
		{"null", `{"properties": {"a": {"type": ["string", "null"]}}}`, `{"a": null}`, nil},
		{"null is no string", `{"properties": {"a": {"type": "string"}}}`, `{"a": null}`, []string{"1:7 error /a type"}},
		{"required", `{"required": ["a", "b"]}`, ` {}`, []string{"1:2 error  required", "1:2 error  required"}},
		{"const", `{"const": {"a": 1}}`, `2`, []string{"1:1 error  const"}},
		{"const by value", `{"const": {"a": 1, "b": 2}}`, `{"b": 2.0, "a": 1}`, nil},
		{"enum", `{"enum": ["x", 1, null]}`, `"y"`, []string{"1:1 error  enum"}},
		{"pattern", `{"pattern": "Z$"}`, `"a"`, []string{"1:1 error  pattern"}},
		{"minimum and maximum", `{"minimum": 3, "maximum": 2}`, `2.5`, []string{"1:1 error  minimum", "1:1 error  maximum"}},
		{"exclusiveMinimum", `{"exclusiveMinimum": 3}`, `3`, []string{"1:1 error  exclusiveMinimum"}},
		{"exclusiveMaximum", `{"exclusiveMaximum": 0.5}`, `0.5`, []string{"1:1 error  exclusiveMaximum"}},
		{"multipleOf", `{"multipleOf": 2}`, `3`, []string{"1:1 error  multipleOf"}},
		{"multipleOf in decimals", `{"multipleOf": 0.1}`, `0.3`, nil},
		{"minLength", `{"minLength": 3}`, `"éé"`, []string{"1:1 error  minLength"}},
		{"maxLength counts code points", `{"maxLength": 2}`, `"éé"`, nil},
		{"maxLength", `{"maxLength": 1}`, `"éé"`, []string{"1:1 error  maxLength"}},
		{"minItems", `{"minItems": 1}`, `[]`, []string{"1:1 error  minItems"}},
		{"maxItems", `{"maxItems": 1}`, `[1, 2]`, []string{"1:1 error  maxItems"}},
		{"uniqueItems", `{"uniqueItems": true}`, `[1, 1.0]`, []string{"1:1 error  uniqueItems"}},
		{"minProperties", `{"minProperties": 1}`, `{}`, []string{"1:1 error  minProperties"}},
		{"maxProperties", `{"maxProperties": 0}`, `{"a": 1}`, []string{"1:1 error  maxProperties"}},
		{
			"additionalProperties false", `{"properties": {"a": true}, "additionalProperties": false}`, "{\"a\": 1,\n\"c\": 2, \"b\": 3}",
			[]string{"2:1 error /c additionalProperties", "2:9 error /b additionalProperties"},
		},
		{
			"additionalProperties schema", `{"properties": {"a": true}, "additionalProperties": {"type": "string"}}`, `{"a": 1, "b": 2}`,
			[]string{"1:15 error /b type"},
		},
		{"property false", `{"properties": {"a": false}}`, `{"a": 1}`, []string{"1:7 error /a false"}},
		{"propertyNames", `{"propertyNames": {"pattern": "^a"}}`, `{"a": 1, "b": 2}`, []string{"1:10 error /b propertyNames"}},
		{"anyOf of types", `{"anyOf": [{"type": "string"}, {"type": "integer"}]}`, `null`, []string{"1:1 error  type"}},
		{"anyOf holds", `{"anyOf": [{"type": "string"}, {"minimum": 3}]}`, `4`, nil},
		{"oneOf, nearest branch", alternatives, `{"a": {}}`, []string{"1:7 error /a required"}},
		{"oneOf holds", alternatives, `{"a": {"z": 1}}`, nil},
		{"oneOf, two hold", `{"oneOf": [{"minimum": 1}, {"minimum": 2}]}`, `3`, []string{"1:1 error  oneOf"}},
		{"$ref", `{"properties": {"a": {"$ref": "#/$defs/s"}}, "$defs": {"s": {"type": "string"}}}`, `{"a": 1}`, []string{"1:7 error /a type"}},
		{"$ref to itself", `{"type": "object", "properties": {"a": {"$ref": "#"}}}`, `{"a": {"a": {"a": 1}}}`, []string{"1:19 error /a/a/a type"}},
		{
			"allOf", `{"allOf": [{"properties": {"a": {"type": "string"}}}, {"required": ["b"]}]}`, `{"a": 1}`,
			[]string{"1:1 error  required", "1:7 error /a type"},
		},
		{
			"patternProperties", `{"patternProperties": {"^n_": {"type": "integer"}}}`, `{"n_a": "x", "m": 1}`,
			[]string{"1:9 error /n_a type", "1:14 warning /m undocumented"},
		},
		{"items", `{"items": {"type": "integer"}}`, `[1, "a", 2, "b"]`, []string{"1:5 error /1 type", "1:13 error /3 type"}},
		{
			"prefixItems", `{"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}`, `["a", "b", 3]`,
			[]string{"1:2 error /0 type", "1:12 error /2 type"},
		},
		{"then", conditional, `{"k": "a"}`, []string{"1:1 error  required"}},
		{"then holds", conditional, `{"k": "a", "x": 1}`, []string{"1:12 warning /x undocumented"}},
		{"else", conditional, `{"k": "b"}`, []string{"1:1 error  required"}},
		{"dependentRequired", `{"dependentRequired": {"a": ["b"]}}`, `{"a": 1}`, []string{"1:1 error  dependentRequired"}},
		{"dependentSchemas", `{"dependentSchemas": {"a": {"required": ["b"]}}}`, `{"a": 1}`, []string{"1:1 error  required"}},
		{"unevaluatedProperties", `{"unevaluatedProperties": false, "properties": {"a": true}}`, `{"a": 1, "b": 2}`, []string{"1:15 error /b false"}},
		{"date-time", `{"format": "date-time"}`, `"2026-04-31T00:00:00Z"`, []string{"1:1 error  format"}},
		{"date-time holds", `{"format": "date-time"}`, `"2024-02-29T23:59:59.5+05:30"`, nil},
		{"29 February", `{"format": "date-time"}`, `"2026-02-29T00:00:00Z"`, []string{"1:1 error  format"}},
		{"date without a time", `{"format": "date-time"}`, `"2026-03-12"`, []string{"1:1 error  format"}},
		{"email", `{"format": "email"}`, `"x"`, []string{"1:1 warning  format"}},
		{"phone", `{"format": "phone"}`, `"555"`, []string{"1:1 warning  format"}},
		{"phone holds", `{"format": "phone"}`, `"+14155559876"`, nil},
		{"uri", `{"format": "uri"}`, `"no url"`, []string{"1:1 warning  format"}},
		{"format of another type", `{"format": "email"}`, `null`, nil},
		{"unknown format", `{"format": "nonsense"}`, `"1"`, nil},
		{
			"pointer is escaped", `{"properties": {"a/b": {"properties": {"m~n": {"type": "string"}}}}}`, `{"a/b": {"m~n": 1}}`,
			[]string{"1:17 error /a~1b/m~0n type"},
		},
		{"duplicate keys", `{}`, `{"a": 1, "a": 2, "a": 3}`, []string{"1:10 error /a duplicate", "1:18 error /a duplicate"}},
		{"duplicate by an escape", `{}`, `{"a": 1, "\u0061": 2}`, []string{"1:10 error /a duplicate"}},
		{"duplicate in depth", `{}`, `{"x": [{"a": 1, "a": 2}]}`, []string{"1:17 error /x/0/a duplicate"}},
		{"same key in two objects", `{}`, `[{"a": 1}, {"a": 2}]`, nil},
		{
			"the last duplicate counts", `{"properties": {"a": {"type": "string"}}}`, `{"a": "x", "a": 1}`,
			[]string{"1:12 error /a duplicate", "1:17 error /a type"},
		},
		{"the first duplicate does not", `{"properties": {"a": {"type": "string"}}}`, `{"a": 1, "a": "x"}`, []string{"1:10 error /a duplicate"}},
		{"absent", `{"properties": {"a": {}, "b": {}}, "required": ["b"]}`, ` {"b": 1}`, []string{"1:2 warning  absent"}},
		{"absent, but deprecated", `{"properties": {"a": {"deprecated": true}}}`, `{}`, nil},
		{"undocumented", `{"properties": {"a": {}}}`, `{"a": 1, "b": 2}`, []string{"1:10 warning /b undocumented"}},
		{
			"undocumented in a duplicate", `{"properties": {"a": {}}}`, `{"a": 1, "b": 2, "b": 3}`,
			[]string{"1:18 error /b duplicate", "1:18 warning /b undocumented"},
		},
		{"undocumented in items", `{"items": {"properties": {"a": {}}}}`, `[{"a": 1}, {"a": 1, "b": 2}]`, []string{"1:21 warning /1/b undocumented"}},
		{"other properties are no drift of an open object", `{"properties": {"a": {}}, "additionalProperties": true}`, `{"b": 2}`, []string{"1:1 warning  absent"}},
		{"drift where nothing is described", `{"type": "object"}`, `{"b": 2}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := compile(t, tt.schema).Explain([]byte(tt.doc))
			if !slices.Equal(facts(got), tt.want) {
				t.Errorf("%s by %s:\ngot  %q\nwant %q", tt.doc, tt.schema, facts(got), tt.want)
			}
		})
	}
}

func TestMessages(t *testing.T) {
	tests := []struct {
		name, schema, doc, want string
	}{
		{"type", `{"type": ["null", "string"]}`, `1.5`, "got number 1.5, want string or null"},
		{"integer", `{"type": "string"}`, `42`, "got integer 42, want string"},
		{"object", `{"type": "string"}`, `{"a": 1}`, "got object, want string"},
		{"required", `{"required": ["a"]}`, `{}`, `missing property "a"`},
		{"const", `{"const": "a"}`, `"b"`, `got string "b", want "a"`},
		{"enum", `{"enum": ["x", "y", null]}`, `1`, `got integer 1, want "x", "y" or null`},
		{"empty", `{"minLength": 1}`, `""`, "got an empty string, want a string that is not empty"},
		{"minLength", `{"minLength": 3}`, `"é"`, "got a string of 1 character, want at least 3"},
		{"minimum", `{"minimum": 0.5}`, `0`, "got integer 0, want at least 0.5"},
		{"additionalProperties", `{"additionalProperties": false}`, `{"a": 1}`, `property "a" is not allowed`},
		{"dependentRequired", `{"dependentRequired": {"100%d": ["b"]}}`, `{"100%d": 1}`, `missing property "b", which "100%d" requires`},
		{"duplicate", `{}`, `{"a": 1, "a": 1}`, `duplicate key "a"`},
		{"control character in a key", `{"additionalProperties": false}`, `{"\u001b[31m": 1}`, `property "\x1b[31m" is not allowed`},
		{"absent", `{"properties": {"a": {}}}`, `{}`, `the documented property "a" is absent`},
		{
			"did you mean", `{"properties": {"agent_id": {}}, "required": ["agent_id"], "type": ["object", "null"], "minProperties": 0}`,
			`{"agent_id": 1, "agentid": 1}`, `property "agentid" is not documented; did you mean "agent_id"?`,
		},
		{"nothing near", `{"properties": {"agent_id": {}}}`, `{"agent_id": 1, "zzz": 1}`, `property "zzz" is not documented`},
		{"long value", `{"type": "null"}`, `"` + strings.Repeat("é", 100) + `"`, `got string "` + strings.Repeat("é", 29) + `...", want null`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := compile(t, tt.schema).Explain([]byte(tt.doc))
			if len(got) != 1 || got[0].Message != tt.want {
				t.Errorf("got %v, want the one message %s", got, tt.want)
			}
		})
	}
}

// Texts that are not JSON, or that readers of JSON do not agree about.
func TestNotJSON(t *testing.T) {
	tests := []struct {
		name, doc string
		want      []string
	}{
		{"empty", "", []string{"1:1 error  syntax"}},
		{"space", "  \n", []string{"2:1 error  syntax"}},
		{"byte order mark", "\ufeff{}", []string{"1:1 warning  bom"}},
		{"byte order mark alone", "\ufeff", []string{"1:1 warning  bom", "1:1 error  syntax"}},
		{"byte order mark has no width", "\ufeff{]", []string{"1:1 warning  bom", "1:2 error  syntax"}},
		{"two byte order marks", "\ufeff\ufeff1", []string{"1:1 warning  bom", "1:1 error  syntax"}},
		{"UTF-16 with a mark", "\xff\xfe{\x00}\x00", []string{"1:1 error  encoding"}},
		{"UTF-16, little-endian", "{\x00}\x00", []string{"1:1 error  encoding"}},
		{"UTF-16, big-endian", "\x00{\x00}", []string{"1:1 error  encoding"}},
		{"UTF-32", "\xff\xfe\x00\x00{\x00\x00\x00", []string{"1:1 error  encoding"}},
		{"NUL", "\x00", []string{"1:1 error  syntax"}},
		{"NUL for a value", "{\"a\":\x00}", []string{"1:6 error /a syntax"}},
		{"NUL behind the value", "1\x00", []string{"1:2 error  syntax"}},
		{"comma in an array", "[1,]", []string{"1:3 error  syntax"}},
		{"comma in an object", "{\"a\":1,\n}", []string{"1:7 error  syntax"}},
		{"two commas", "[1,,2]", []string{"1:4 error /1 syntax"}},
		{"no comma", `{"a":1 "b":2}`, []string{"1:8 error  syntax"}},
		{"no value", `{"a":}`, []string{"1:6 error /a syntax"}},
		{"key without quotes", "{\n  a: 1}", []string{"2:3 error  syntax"}},
		{"single quotes", "{'a':1}", []string{"1:2 error  syntax"}},
		{"comment", "// x\n1", []string{"1:1 error  syntax"}},
		{"NaN", "[NaN]", []string{"1:2 error /0 syntax"}},
		{"plus", "+1", []string{"1:1 error  syntax"}},
		{"point first", ".5", []string{"1:1 error  syntax"}},
		{"point last", "1.", []string{"1:3 error  syntax"}},
		{"word behind", "{}x", []string{"1:3 error  syntax"}},
		{"closed too soon", "]", []string{"1:1 error  syntax"}},
		{"line end in a string", "\"a\nb\"", []string{"1:3 error  syntax"}},
		{"tab in a string", "\"a\tb\"", []string{"1:3 error  syntax"}},
		{"unknown escape", `"a\x"`, []string{"1:3 error  syntax"}},
		{"short escape", `"\u12"`, []string{"1:2 error  syntax"}},
		{"lone high surrogate", `["", "\ud800"]`, []string{"1:7 error /1 syntax"}},
		{"lone low surrogate", `"\udc00"`, []string{"1:2 error  syntax"}},
		{"surrogates the wrong way round", `"\udc00\ud800"`, []string{"1:2 error  syntax"}},
		{"a pair of surrogates", `"\ud83d\ude00"`, nil},
		{"invalid UTF-8", "[\"ab\xff\"]", []string{"1:5 error /0 encoding"}},
		{"invalid UTF-8 in a key", "{\"k\xc3\":1}", []string{"1:4 error  encoding"}},
		{"invalid UTF-8 behind an emoji", "[\"😀é\xff\"]", []string{"1:5 error /0 encoding"}},
		{"surrogate in UTF-8", "\"\xed\xa0\x80\"", []string{"1:2 error  encoding"}},
		{"overlong UTF-8", "\"\xc0\x80\"", []string{"1:2 error  encoding"}},
		{"cut off", `{"a":1`, []string{"1:7 error  syntax"}},
		{"cut off in a string", `"abc`, []string{"1:5 error  syntax"}},
		{"cut off in a word", `tru`, []string{"1:4 error  syntax"}},
		{"beyond a float", `[1e400]`, []string{"1:2 error /0 number"}},
		{"beyond a float, negative", `-1e400`, []string{"1:1 error  number"}},
		{"long beyond a float", strings.Repeat("9", 400), []string{"1:1 error  number"}},
		{"a million digits", strings.Repeat("9", 1_000_000), []string{"1:1 error  number"}},
		{"a million digits behind the point", "0." + strings.Repeat("9", 1_000_000), []string{"1:1 error  number"}},
		{"tiny", `1e-999999`, nil},
		{"tiniest", `[-1e-999999999999, 0e999999999999]`, nil},
		{"a million arrays", strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000), []string{"1:10001 error  syntax"}},
		{"a million arrays, open", strings.Repeat("[", 1_000_000), []string{"1:10001 error  syntax"}},
		{"a million objects", strings.Repeat(`{"a":`, 1_000_000), []string{"1:50001 error  syntax"}},
		{"ten thousand arrays", strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), nil},
	}
	s := compile(t, `{}`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := facts(s.Explain([]byte(tt.doc))); !slices.Equal(got, tt.want) {
				t.Errorf("%q:\ngot  %q\nwant %q", cut(tt.doc), got, tt.want)
			}
		})
	}
}

// A number that is as good as zero is still compared.
func TestTinyNumber(t *testing.T) {
	got := facts(compile(t, `{"minimum": 1}`).Explain([]byte(`1e-999999`)))
	if want := []string{"1:1 error  minimum"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A hostile document costs no more problems than anybody can read.
func TestManyProblems(t *testing.T) {
	doc := "{" + strings.Repeat(`"a":1,`, 50_000) + `"a":1}`
	got := compile(t, `{"properties": {"b": {"type": "string"}}}`).Explain([]byte(doc))
	if len(got) == 0 || len(got) > 10_000 {
		t.Errorf("got %d problems, want 1 to 10,000", len(got))
	}
	doc = "[" + strings.Repeat(`1,`, 50_000) + `1]`
	got = compile(t, `{"items": {"type": "string"}}`).Explain([]byte(doc))
	if len(got) == 0 || len(got) > 10_000 {
		t.Errorf("got %d problems, want 1 to 10,000", len(got))
	}
}

// samples returns the fixtures that are payloads, by name.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := fs.Glob(fixtures.FS, "*.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		name, ok := strings.CutSuffix(f, ".json")
		if !ok || strings.HasSuffix(name, ".schema") {
			continue
		}
		text, err := fs.ReadFile(fixtures.FS, f)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = text
	}
	return all
}

func fixture(t testing.TB, name string) *schema.Schema {
	t.Helper()
	text, err := fs.ReadFile(fixtures.FS, name+".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, string(text))
}

func TestSamples(t *testing.T) {
	for name, text := range samples(t) {
		if got := fixture(t, name).Explain(text); len(got) > 0 {
			t.Errorf("%s: got %v, want nothing", name, got)
		}
	}
}

// However a sample is cut off, that is an error in the text or at its end.
func TestTruncated(t *testing.T) {
	for name, text := range samples(t) {
		s := fixture(t, name)
		text = bytes.TrimSpace(text)
		for n := range text {
			got := s.Explain(text[:n])
			if len(got) == 0 || got[0].Severity != schema.Error {
				t.Fatalf("%s cut at %d: got %v, want an error", name, n, got)
			}
			if p := got[0].Pos; p != schema.Locate(text[:n], int(p.Offset)) || p.Offset > int64(n) {
				t.Fatalf("%s cut at %d: got %v at %+v, which is not in the text", name, n, got[0], p)
			}
		}
	}
}

func TestLength(t *testing.T) {
	doc := []byte(`{"é": "x", "b": [1, 2], "é": 1}`)
	got := compile(t, `{"properties": {"é": {"type": "string"}, "b": {"type": "string"}}}`).Explain(doc)
	var marked []string
	for _, p := range got {
		marked = append(marked, string(doc[p.Pos.Offset:p.Pos.Offset+int64(p.Length)]))
	}
	if want := []string{"[1, 2]", `"é"`, "1"}; !slices.Equal(marked, want) {
		t.Errorf("the problems mark %q, want %q", marked, want)
	}
}

func TestMember(t *testing.T) {
	d := schema.Parse([]byte("{\"event\": \"a\",\n \"n\": 1, \"event\": \"b\"}"))
	if !d.Valid() || !d.Object() || d.Root().Kind != "object" {
		t.Fatal("an object is not seen as one")
	}
	m, ok := d.Member("event")
	if !ok || !m.IsString || m.Value != "b" || m.Kind != "string" || string(m.Source) != `"b"` || m.Pos != (schema.Position{Offset: 33, Line: 2, Column: 19}) {
		t.Errorf("got %+v, want the last member of that name", m)
	}
	if n, ok := d.Member("n"); !ok || n.IsString || n.Kind != "integer" {
		t.Errorf("got %+v, want the integer", n)
	}
	if _, ok := d.Member("nope"); ok {
		t.Error("a member was found that is not there")
	}
	if d := schema.Parse([]byte(`[1]`)); d.Object() {
		t.Error("an array is seen as an object")
	} else if _, ok := d.Member("0"); ok {
		t.Error("an element is seen as a member")
	}
	if d := schema.Parse([]byte(`{"event": "a"`)); d.Valid() || d.Object() {
		t.Error("a broken text is seen as valid")
	}
}

func TestLocate(t *testing.T) {
	tests := []struct {
		name, text   string
		offset       int
		line, column int
	}{
		{"start", "abc", 0, 1, 1},
		{"middle", "abc", 2, 1, 3},
		{"end", "abc", 3, 1, 4},
		{"beyond the end", "abc", 9, 1, 4},
		{"empty", "", 0, 1, 1},
		{"line end", "a\nb", 1, 1, 2},
		{"second line", "a\nb", 2, 2, 1},
		{"CRLF", "ab\r\ncd", 5, 2, 2},
		{"LF of CRLF", "ab\r\ncd", 3, 1, 4},
		{"tab is one column", "\t\tx", 2, 1, 3},
		{"emoji is one column", "\"😀\"", 5, 1, 3},
		{"two bytes are one column", "éx", 2, 1, 2},
		{"combining accent is a column", "e\u0301x", 3, 1, 3},
		{"byte order mark", "\ufeffx", 3, 1, 1},
		{"behind a byte order mark", "\ufeffxy", 4, 1, 2},
		{"byte order mark, second line", "\ufeffx\nyz", 6, 2, 2},
		{"empty lines", "\n\n\n", 3, 4, 1},
		{"invalid UTF-8", "\xff\xffx", 2, 1, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := schema.Position{Offset: int64(min(tt.offset, len(tt.text))), Line: tt.line, Column: tt.column}
			if got := schema.Locate([]byte(tt.text), tt.offset); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestShift(t *testing.T) {
	before, text := []byte("é\nab "), []byte("cd\nef")
	whole := slices.Concat(before, text)
	base := schema.Locate(whole, len(before))
	for i := range len(text) + 1 {
		if got, want := schema.Locate(text, i).Shift(base), schema.Locate(whole, len(before)+i); got != want {
			t.Errorf("offset %d: got %+v, want %+v", i, got, want)
		}
	}
}
