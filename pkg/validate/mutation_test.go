package validate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

func catalog(t testing.TB) *webhook.Catalog {
	t.Helper()
	c, err := webhook.LoadCatalog(fixtures.FS)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func checker(t testing.TB) *Checker {
	t.Helper()
	c, err := NewChecker(catalog(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// verdicts returns everything that is said of a text.
func verdicts(t testing.TB, c *Checker, name string, text []byte) (said []string, tally *Tally) {
	t.Helper()
	tally = new(Tally)
	err := c.Read(context.Background(), name, bytes.NewReader(text), tally, func(v *Verdict) error {
		for _, p := range v.Problems {
			said = append(said, fmt.Sprintf("%s %d %v %s %s", v.Event, p.Pos.Offset, p, p.Keyword, p.Pointer))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return said, tally
}

// sameVerdict holds that the fast program changes nothing.
func sameVerdict(t *testing.T, fast, slow *Checker, text []byte) []string {
	t.Helper()
	got, gotTally := verdicts(t, fast, "x", text)
	want, wantTally := verdicts(t, slow, "x", text)
	if strings.Join(got, "\n") != strings.Join(want, "\n") || gotTally.Summary != wantTally.Summary {
		t.Fatalf("%s\nfast: %q %+v\nslow: %q %+v", text, got, gotTally.Summary, want, wantTally.Summary)
	}
	return want
}

// A part is a member of an object in a sample, by offsets into the text.
type part struct {
	pointer         string
	object          int // where the object opens
	key, value, end int // end is that of the value
	kind            byte
}

// parts finds the members of the objects of a text with a reader of its own:
// that of the standard library.
func parts(t *testing.T, text []byte) []part {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var found []part
	skip := func() int {
		i := int(dec.InputOffset())
		for strings.IndexByte(" \n\t,:", text[i]) >= 0 {
			i++
		}
		return i
	}
	var value func(pointer string)
	value = func(pointer string) {
		start := skip()
		tok, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		switch tok {
		case json.Delim('{'):
			for dec.More() {
				p := part{object: start, key: skip()}
				key, _ := dec.Token()
				p.pointer = fmt.Sprintf("%s/%v", pointer, key)
				p.value = skip()
				p.kind = text[p.value]
				n := len(found)
				found = append(found, p)
				value(p.pointer)
				found[n].end = int(dec.InputOffset())
			}
			_, _ = dec.Token()
		case json.Delim('['):
			for i := 0; dec.More(); i++ {
				value(fmt.Sprintf("%s/%d", pointer, i))
			}
			_, _ = dec.Token()
		}
	}
	value("")
	return found
}

// place is the position of an offset, by the definition of line and column.
func place(text []byte, offset int) string {
	line, column := 1, 1
	for _, r := range string(text[:offset]) {
		if column++; r == '\n' {
			line, column = line+1, 1
		}
	}
	return fmt.Sprintf(" %d %d:%d: error: ", offset, line, column)
}

func has(said []string, parts ...string) bool {
	for _, s := range said {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(s, p)
		}
		if all {
			return true
		}
	}
	return false
}

// TestMutations breaks every sample in every way, and holds that the fast program
// changes no verdict, that what must be found is found, and where.
func TestMutations(t *testing.T) {
	fast, slow := checker(t), checker(t)
	slow.slow = true
	for _, typ := range slow.catalog.Types() {
		t.Run(typ.Name, func(t *testing.T) {
			s, err := slow.Schema(typ)
			if err != nil {
				t.Fatal(err)
			}
			required := map[string]schema.Field{}
			for _, f := range s.Fields() {
				required[f.Pointer()] = f
			}
			text := typ.Sample
			if said := sameVerdict(t, fast, slow, text); len(said) > 0 {
				t.Fatalf("the sample: %q", said)
			}
			splice := func(from, to int, with string) []byte {
				return append(append(append([]byte{}, text[:from]...), with...), text[to:]...)
			}
			for _, p := range parts(t, text) {
				f := required[p.pointer]

				// Without the key. A comma has to go too.
				from, to := p.key, p.end
				if text[to] == ',' {
					to++
				} else {
					from = bytes.LastIndexByte(text[:from], ',')
				}
				dropped := splice(from, to, "")
				said := sameVerdict(t, fast, slow, dropped)
				name := p.pointer[strings.LastIndexByte(p.pointer, '/')+1:]
				switch {
				case p.pointer == "/"+typ.Property:
					if !has(said, `no event type: missing property "event"`) {
						t.Errorf("without %s: %q", p.pointer, said)
					}
				case f.Required && !has(said, place(dropped, p.object), fmt.Sprintf("missing property %q", name)):
					t.Errorf("without %s: %q", p.pointer, said)
				case !f.Required && !has(said, fmt.Sprintf("the documented property %q is absent", name)):
					t.Errorf("without %s: %q", p.pointer, said)
				}

				// The key twice.
				member := string(text[p.key:p.end])
				twice := splice(p.end, p.end, ", "+member)
				if said := sameVerdict(t, fast, slow, twice); !has(said, place(twice, p.end+2), "duplicate key", " duplicate "+p.pointer) {
					t.Errorf("%s twice: %q", p.pointer, said)
				}

				// Values of every other type.
				for _, other := range []string{`{}`, `[]`, `"x"`, `""`, `-1`, `1.5`, `1e2`, `12345678901234567890`, `null`, `true`, `[null]`, `"\u0041"`} {
					changed := splice(p.value, p.end, other)
					said := sameVerdict(t, fast, slow, changed)
					wrong := kinds[other[0]] != kinds[p.kind] && (other != "null" || !f.Nullable) && (p.kind != 'n')
					if wrong && !has(said, place(changed, p.value), " "+p.pointer) {
						t.Errorf("%s of %s: %q", p.pointer, other, said)
					}
				}

				// Strings that break patterns, enums, consts and formats.
				if p.kind == '"' {
					for _, other := range []string{`"2026-02-30T00:00:00Z"`, `"2026-02-28T00:00:00+00:00"`, `"2026-02-28T23:59:60Z"`, `"call.completed"`, `"+1"`, `"a b"`, `"x@"`, `"https://"`, `"\ud83d\ude00"`, `"\ud83d"`, "\"\xc3\"", "\"é\""} {
						sameVerdict(t, fast, slow, splice(p.value, p.end, other))
					}
				}
			}
			for i := range text {
				cut := text[:i]
				said := sameVerdict(t, fast, slow, cut)
				end := len(bytes.TrimRight(cut, " \n"))
				if end > 0 && end < len(bytes.TrimRight(text, "\n")) && !has(said, place(cut, end), "unexpected end of JSON") {
					t.Errorf("cut at %d: %q", i, said)
				}
				for _, flip := range []byte{0x01, 0x20, 0x80, 0xff} {
					changed := bytes.Clone(text)
					changed[i] ^= flip
					said := sameVerdict(t, fast, slow, changed)
					if !json.Valid(changed) && !has(said, "error: ") {
						t.Errorf("flipped %#x at %d: %q", flip, i, said)
					}
				}
			}
		})
	}
}

// kinds tells types apart by their first byte.
var kinds = func() map[byte]string {
	m := map[byte]string{'"': "string", '{': "object", '[': "array", 'n': "null", 't': "boolean", 'f': "boolean", '-': "number"}
	for c := byte('0'); c <= '9'; c++ {
		m[c] = "number"
	}
	return m
}()

// TestMutationsInLines does the same to payloads that stand between others, one
// per line, so that the chunks and their ends are tried too.
func TestMutationsInLines(t *testing.T) {
	fast, slow := checker(t), checker(t)
	slow.slow = true
	var lines [][]byte
	for _, typ := range catalog(t).Types() {
		var b bytes.Buffer
		if err := json.Compact(&b, typ.Sample); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, b.Bytes())
	}
	var text bytes.Buffer
	n := 0
	for i := 0; text.Len() < 3*chunkSize; i++ {
		line := bytes.Clone(lines[i%len(lines)])
		switch i % 50 {
		case 7:
			line = line[:len(line)-1-i%len(line)/2]
		case 17:
			line[i*7%len(line)] ^= 0x20
		case 27:
			line = []byte("garbage, no JSON")
		case 37:
			line = append(line, line...)
			n++
		case 47:
			line = append(line, " \t"...)
		}
		n++
		text.Write(append(line, '\n'))
	}
	sameVerdict(t, fast, slow, text.Bytes())
	got, tally := verdicts(t, fast, "x.ndjson", text.Bytes())
	if tally.Payloads != n {
		t.Errorf("%d payloads, want %d", tally.Payloads, n)
	}
	if want, _ := verdicts(t, slow, "x.ndjson", text.Bytes()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Errorf("the verdicts on lines differ: %q, want %q", got[i], want[i])
				break
			}
		}
	}
	// The same through the reader that knows nothing of lines.
	want, _ := verdicts(t, slow, "x", append([]byte("\n"), text.Bytes()...))
	got, _ = verdicts(t, fast, "x", append([]byte("\n"), text.Bytes()...))
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Error("the verdicts of the reader differ")
	}
	direct, _ := verdicts(t, slow, "x", text.Bytes())
	if len(direct) != len(want) {
		t.Errorf("by lines %d problems, by the reader %d", len(direct), len(want))
	}
}
