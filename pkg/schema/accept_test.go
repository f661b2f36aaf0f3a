package schema_test

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
)

// bundled compiles the schemas of the catalog, and returns their samples too.
func bundled(t testing.TB) (schemas []*schema.Schema, samples [][]byte) {
	t.Helper()
	names, err := fs.Glob(fixtures.FS, "*.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		source, err := fs.ReadFile(fixtures.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := schema.Compile(name, source)
		if err != nil {
			t.Fatal(err)
		}
		sample, err := fs.ReadFile(fixtures.FS, strings.TrimSuffix(name, ".schema.json")+".json")
		if err != nil {
			t.Fatal(err)
		}
		schemas, samples = append(schemas, s), append(samples, sample)
	}
	return schemas, samples
}

// handmade are schemas with keywords that the bundled ones do not have.
var handmade = []string{
	`{"type":"object","required":["n"],"properties":{"n":{"type":"number","minimum":-2,"exclusiveMaximum":10},"s":{"minLength":2,"maxLength":4},
	  "l":{"type":"array","minItems":1,"maxItems":3,"items":{"enum":["a","b",null]}},"o":{"type":"object"},"d":{"format":"date-time"},"p":{"pattern":"^a+$"}}}`,
	`{"properties":{"a":{"$ref":"#/$defs/x"},"b":{"allOf":[{"$ref":"#/$defs/x"},{"maxLength":3}]},"c":true,"e":{"format":"email"},"u":{"format":"uri"},"f":{"format":"phone"}},
	  "$defs":{"x":{"type":["string","null"],"minLength":1}},"additionalProperties":false}`,
	`{"properties":{"self":{"$ref":"#"},"b":{"type":"boolean"},"i":{"type":"integer"}}}`,
	`{"anyOf":[{"required":["a"]},{"required":["b"]}],"properties":{"a":{},"b":{}}}`,
	`{"type":"array","items":{"type":["integer","boolean"]}}`,
	`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"const":"x"},"b":{"format":"email","type":"string"}}}`,
	`{"allOf":[{"properties":{"a":{}},"additionalProperties":false},{"properties":{"b":{}}}]}`,
	`{"$ref":"#/$defs/x","properties":{"b":{}},"$defs":{"x":{"properties":{"a":{}},"additionalProperties":false}}}`,
}

// FuzzAcceptImpliesExplain holds the one promise of the fast program: where it
// has nothing to report, neither has the authority; and where it reports
// warnings, the authority finds those warnings, there, and no more.
func FuzzAcceptImpliesExplain(f *testing.F) {
	schemas, samples := bundled(f)
	for _, source := range handmade {
		s, err := schema.Compile("handmade", []byte(source))
		if err != nil {
			f.Fatal(err)
		}
		schemas = append(schemas, s)
	}
	for i, sample := range samples {
		f.Add(i, sample)
		f.Add(i, bytes.ReplaceAll(bytes.ReplaceAll(sample, []byte("\n"), nil), []byte("  "), nil))
	}
	for i, seed := range []string{
		`{"n":1.5,"s":"éé","l":["a",null],"o":{},"d":"2024-02-29T23:59:59.5Z","p":"aaa"}`,
		`{"a":"x","b":null,"c":[1,{"k":"v"}],"e":"a.b@example.com","u":"https://a.b/c?d=e","f":"+14155551234"}`,
		`{"self":{"self":{"b":true},"i":-0},"b":false,"i":12}`, `{"a":1}`, `[1,true,-3]`, `{"a":"x","b":"nobody"}`,
	} {
		f.Add(len(samples)+i, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, which int, text []byte) {
		if which < 0 {
			which = -(which + 1)
		}
		s := schemas[which%len(schemas)]
		problems := s.Explain(text)
		if s.Accept(text) && len(problems) > 0 {
			t.Fatalf("accepted, but: %v", problems)
		}
		compareDrifts(t, s, text, problems)
	})
}

// compareDrifts holds that the warnings of the fast program are those of the
// authority.
func compareDrifts(t *testing.T, s *schema.Schema, text []byte, problems []schema.Problem) {
	t.Helper()
	a := s.NewAcceptor()
	if a == nil {
		return
	}
	end, said := a.Accept(text)
	if said != schema.Warned || len(bytes.TrimSpace(text[end:])) > 0 {
		return
	}
	type finding struct {
		keyword, pointer, property string
		offset                     int
	}
	want := map[finding]int{}
	for _, p := range problems {
		if p.Severity == schema.Error {
			t.Fatalf("accepted with warnings, but: %v", p)
		}
		want[finding{p.Keyword, generalPointer(p.Pointer), p.Property, int(p.Pos.Offset)}]++
	}
	for _, d := range a.Drifts() {
		keyword, pointer, property := a.Describe(d)
		want[finding{keyword, generalPointer(pointer), property, d.Offset}]--
	}
	for f, n := range want {
		if n != 0 {
			t.Fatalf("%+v was found %d times too few by the fast program, of %v", f, n, problems)
		}
	}
}

// generalPointer makes one of all elements of an array.
func generalPointer(pointer string) string {
	tokens := strings.Split(pointer, "/")
	for i, token := range tokens {
		if token != "" && strings.Trim(token, "0123456789") == "" {
			tokens[i] = "*"
		}
	}
	return strings.Join(tokens, "/")
}

func TestEveryBundledSchemaHasAProgram(t *testing.T) {
	schemas, samples := bundled(t)
	for i, s := range schemas {
		if !s.Accept(samples[i]) {
			t.Errorf("the fast program is not sure of %s", samples[i])
		}
	}
}

func TestAcceptDoesNotAllocate(t *testing.T) {
	schemas, samples := bundled(t)
	for i, s := range schemas {
		a := s.NewAcceptor()
		if n := testing.AllocsPerRun(100, func() { a.Accept(samples[i]) }); n != 0 {
			t.Errorf("%v allocations for %s", n, samples[i])
		}
	}
}

func BenchmarkAccept(b *testing.B) {
	schemas, samples := bundled(b)
	for i, s := range schemas {
		b.Run(s.Title(), func(b *testing.B) {
			b.SetBytes(int64(len(samples[i])))
			a := s.NewAcceptor()
			for b.Loop() {
				if _, said := a.Accept(samples[i]); said != schema.Clean {
					b.Fatal("not accepted")
				}
			}
		})
	}
}

func BenchmarkExplain(b *testing.B) {
	schemas, samples := bundled(b)
	for i, s := range schemas {
		b.Run(s.Title(), func(b *testing.B) {
			b.SetBytes(int64(len(samples[i])))
			for b.Loop() {
				if problems := s.Explain(samples[i]); problems != nil {
					b.Fatal(problems)
				}
			}
		})
	}
}
