package schema_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"regexp"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
)

// many uses as many keywords as one schema can and still be satisfied.
const many = `{
	"properties": {
		"event": {"enum": ["call.completed", "contact.updated", null]},
		"timestamp": {"type": "string", "format": "date-time", "pattern": "Z$"},
		"data": {"$ref": "#/$defs/data"},
		"n": {"minimum": 0, "maximum": 100, "multipleOf": 0.5},
		"list": {"prefixItems": [{"type": "integer"}], "items": {"$ref": "#"}, "uniqueItems": true, "maxItems": 5},
		"any": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "object", "required": ["x"]}]},
		"one": {"oneOf": [{"type": "null"}, {"minimum": 3}, {"const": [1]}]}
	},
	"patternProperties": {"^x-": {"type": ["string", "null"]}},
	"propertyNames": {"maxLength": 20},
	"if": {"required": ["n"]},
	"then": {"required": ["list"]},
	"dependentRequired": {"one": ["any"]},
	"$defs": {"data": {"type": "object", "minProperties": 1, "additionalProperties": {"type": ["string", "integer", "null", "array"]}}}
}`

// A judge is one schema and the authority on it.
type judge struct {
	name      string
	schema    *schema.Schema
	authority *jsonschema.Schema
}

func newJudge(t testing.TB, name, source string) judge {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(source)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err = c.AddResource("test.json", doc); err != nil {
		t.Fatal(err)
	}
	authority, err := c.Compile("test.json")
	if err != nil {
		t.Fatal(err)
	}
	return judge{name, compile(t, source), authority}
}

// bigExponent finds numbers that would cost the authority gigabytes.
var bigExponent = regexp.MustCompile(`[eE][-+]?[0-9]{3}`)

// FuzzExplain holds that Explain does not panic, that its problems are sorted
// and lie in the text, and that it is never more lenient than encoding/json and
// jsonschema are together.
func FuzzExplain(f *testing.F) {
	judges := []judge{newJudge(f, "many", many)}
	for name, text := range samples(f) {
		f.Add(text)
		if name == "call.completed" || name == "contact.updated" {
			source, err := fs.ReadFile(fixtures.FS, name+".schema.json")
			if err != nil {
				f.Fatal(err)
			}
			judges = append(judges, newJudge(f, name, string(source)))
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		given := bytes.Clone(doc)
		text := bytes.TrimPrefix(doc, []byte("\ufeff"))
		valid := json.Valid(text)
		for _, j := range judges {
			problems := j.schema.Explain(doc)
			errs := 0
			for i, p := range problems {
				if p.Pos.Offset < 0 || p.Pos != schema.Locate(doc, int(p.Pos.Offset)) {
					t.Fatalf("%s: the position %+v of %v is not in the text", j.name, p.Pos, p)
				}
				if end := p.Pos.Offset + int64(p.Length); p.Length < 0 || end > int64(len(doc))+1 {
					t.Fatalf("%s: %v marks %d bytes, to %d of %d", j.name, p, p.Length, end, len(doc))
				}
				if i > 0 && p.Pos.Offset < problems[i-1].Pos.Offset {
					t.Fatalf("%s: %v stands behind %v", j.name, p, problems[i-1])
				}
				if p.Message == "" {
					t.Fatalf("%s: %+v says nothing", j.name, p)
				}
				if p.Severity == schema.Error {
					errs++
				}
			}
			if !valid && errs == 0 {
				t.Fatalf("%s: encoding/json refuses it, Explain does not", j.name)
			}
			if errs > 0 || bigExponent.Match(text) {
				continue
			}
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
			if err != nil {
				t.Fatalf("%s: %v", j.name, err)
			}
			if err := j.authority.Validate(value); err != nil {
				t.Fatalf("%s: jsonschema refuses it, Explain does not: %v", j.name, err)
			}
		}
		if !bytes.Equal(doc, given) {
			t.Fatal("the text was changed")
		}
	})
}
