package validate_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
)

// payloads reads all of src and writes what it finds: "line:column bytes" for a
// payload and "line:column! keyword" for a problem of the text around.
func payloads(src io.Reader, limit int) ([]string, error) {
	got := []string{}
	r := validate.NewReader(src, limit)
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got, nil
		} else if err != nil {
			return got, err
		}
		for _, q := range p.Problems {
			got = append(got, fmt.Sprintf("%d:%d! %s", q.Pos.Line, q.Pos.Column, q.Keyword))
		}
		if p.Bytes != nil {
			got = append(got, fmt.Sprintf("%d:%d %s", p.Pos.Line, p.Pos.Column, p.Bytes))
		}
	}
}

func TestReader(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"empty", "", nil},
		{"space", " \t\r\n\n", nil},
		{"one value", `{"a": 1}`, []string{`1:1 {"a": 1}`}},
		{"space around", "\n  {\"a\": 1}  \n", []string{`2:3 {"a": 1}`}},
		{"pretty", "{\n  \"a\": [\n    1\n  ]\n}\n", []string{"1:1 {\n  \"a\": [\n    1\n  ]\n}"}},
		{"NDJSON", "{\"a\":1}\n{\"a\":2}\n", []string{`1:1 {"a":1}`, `2:1 {"a":2}`}},
		{"NDJSON without the last line end", "{\"a\":1}\n{\"a\":2}", []string{`1:1 {"a":1}`, `2:1 {"a":2}`}},
		{"NDJSON with CRLF", "{\"a\":1}\r\n{\"a\":2}\r\n", []string{`1:1 {"a":1}`, `2:1 {"a":2}`}},
		{"empty lines", "{}\n\n\n{}", []string{`1:1 {}`, `4:1 {}`}},
		{"nothing between", `{"é":1}{"a":2} {"a":3}`, []string{`1:1 {"é":1}`, `1:8 {"a":2}`, `1:16 {"a":3}`}},
		{"brackets in strings", `{"a":"}{]["}{"b":"\"}"}`, []string{`1:1 {"a":"}{]["}`, `1:13 {"b":"\"}"}`}},
		{"array", `[{"a":1},{"a":2}]`, []string{`1:2 {"a":1}`, `1:10 {"a":2}`}},
		{"pretty array", "[\n  {\"a\": 1},\n  {\"a\": 2}\n]\n", []string{`2:3 {"a": 1}`, `3:3 {"a": 2}`}},
		{"empty array", `[]`, nil},
		{"several arrays", "[{}]\n[{},{}]{}", []string{`1:2 {}`, `2:2 {}`, `2:5 {}`, `2:8 {}`}},
		{"array in an array", `[[1, 2], {}]`, []string{`1:2 [1, 2]`, `1:10 {}`}},
		{"scalars in an array", `[1, "a,]b", null]`, []string{`1:2 1`, `1:5 "a,]b"`, `1:13 null`}},
		{"scalars", "1\n\"a\"\nnull", []string{`1:1 1`, `2:1 "a"`, `3:1 null`}},
		{"text", "hello world\n{}", []string{`1:1 hello world`, `2:1 {}`}},

		{"array without an end", `[{}`, []string{`1:2 {}`, `1:4! syntax`}},
		{"array that only opens", "[\n", []string{`2:1! syntax`}},
		{"comma at the end of an array", `[{}, ]{}`, []string{`1:2 {}`, `1:4! syntax`, `1:7 {}`}},
		{"two commas", `[{},,{}]`, []string{`1:2 {}`, `1:5! syntax`, `1:6 {}`}},
		{"no comma", `[{} {}]`, []string{`1:2 {}`, `1:5! syntax`, `1:5 {}`}},
		{"comma between values", "{},{}", []string{`1:1 {}`, `1:3! syntax`, `1:4 {}`}},
		{"bracket too many", "{}\n]\n{}", []string{`1:1 {}`, `2:1 ]`, `3:1 {}`}},

		{"line without its end", "{\"a\":1\n{\"a\":2}\n{\"a\":3}", []string{`1:1 {"a":1`, `2:1 {"a":2}`, `3:1 {"a":3}`}},
		{"open string in a line", "{\"a\":\"x\n{\"a\":2}\n", []string{`1:1 {"a":"x`, `2:1 {"a":2}`}},
		{"wrong bracket in a line", "{\"a\":[1}}\n{\"a\":2}\n", []string{`1:1 {"a":[1}}`, `2:1 {"a":2}`}},
		{"broken pretty value", "{\n  \"a\": [1\n}\n{\n  \"a\": 2\n}\n", []string{"1:1 {\n  \"a\": [1\n}", "4:1 {\n  \"a\": 2\n}"}},
		{
			"open string in a pretty value", "{\n  \"a\": \"x,\n  \"b\": 1\n}\n{\n  \"a\": 2\n}\n",
			[]string{"1:1 {\n  \"a\": \"x,\n  \"b\": 1\n}", "5:1 {\n  \"a\": 2\n}"},
		},
		{"broken element of a pretty array", "[\n  {\"a\": \"x},\n  {\"a\": 2}\n]", []string{`2:3 {"a": "x},`, `3:3 {"a": 2}`}},
		{"last value without its end", "{}\n{\"a\": [1,\n", []string{`1:1 {}`, `2:1 {"a": [1,`}},
		{"nested value in the first column", "{\"a\":\n{\"b\":1}\n}\n{}", []string{"1:1 {\"a\":\n{\"b\":1}\n}", `4:1 {}`}},
		{"text among lines", "{}\noops\n{}", []string{`1:1 {}`, `2:1 oops`, `3:1 {}`}},

		{"byte order mark", "\ufeff{}", []string{`1:1! bom`, `1:1 {}`}},
		{"byte order mark alone", "\ufeff", []string{`1:1! bom`}},
		{"byte order mark before an array", "\ufeff[{}]", []string{`1:1! bom`, `1:2 {}`}},
		{"UTF-16", "\xff\xfe{\x00}\x00\n\x00", []string{"1:1 \xff\xfe{\x00"}},
		{"NUL", "\x00", []string{"1:1 \x00"}},
		{"invalid UTF-8", "{\"a\":\"\xff\"}\n{}", []string{"1:1 {\"a\":\"\xff\"}", `2:1 {}`}},
		{"a line that seems to go on", "{\"a\":1}\n{\"a\":\n{\"a\":3}\n{\"a\":4}", []string{`1:1 {"a":1}`, `2:1 {"a":`, `3:1 {"a":3}`, `4:1 {"a":4}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for how, wrap := range chunkings {
				got, err := payloads(wrap(strings.NewReader(tt.in)), validate.DefaultMaxPayload)
				if err != nil || !slices.Equal(got, tt.want) {
					t.Errorf("%s: got  %q, %v\nwant %q", how, got, err, tt.want)
				}
			}
		})
	}
}

var chunkings = map[string]func(io.Reader) io.Reader{
	"at once":            func(r io.Reader) io.Reader { return r },
	"a byte at a time":   iotest.OneByteReader,
	"by halves":          iotest.HalfReader,
	"error with data":    iotest.DataErrReader,
	"with empty reads":   func(r io.Reader) io.Reader { return &lazyReader{Reader: iotest.OneByteReader(r)} },
	"in uneven portions": func(r io.Reader) io.Reader { return &portions{r: r} },
}

// A lazyReader returns nothing every other time.
type lazyReader struct {
	io.Reader
	tired bool
}

func (r *lazyReader) Read(p []byte) (int, error) {
	if r.tired = !r.tired; r.tired {
		return 0, nil
	}
	return r.Reader.Read(p)
}

// portions returns 1, 2, 3, 1, 2, 3 ... bytes.
type portions struct {
	r io.Reader
	n int
}

func (r *portions) Read(p []byte) (int, error) {
	r.n = r.n%3 + 1
	return r.r.Read(p[:min(r.n, len(p))])
}

func TestReaderLimit(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 50) + `"}`
	tests := []struct {
		name, in string
		want     []string
	}{
		{"just fits", `{"a":"0123456789ab"}`, []string{`1:1 {"a":"0123456789ab"}`}},
		{"one too many", `{"a":"0123456789abc"}`, []string{`1:1! size`}},
		{"goes on after it", "{}\n" + long + "\n{\"b\":1}\n", []string{`1:1 {}`, `2:1! size`, `3:1 {"b":1}`}},
		{"never ends", `{}{"a":"` + strings.Repeat("x", 500), []string{`1:1 {}`, `1:3! size`}},
		{"scalar", `"` + strings.Repeat("x", 50) + "\"\n1", []string{`1:1! size`, `2:1 1`}},
		{"goes on in the line", long + `{"b":1}`, []string{`1:1! size`, `1:59 {"b":1}`}},
		{"goes on in an array", "[{}," + long + ",{\"b\":1}]", []string{`1:2 {}`, `1:5! size`, `1:64 {"b":1}`}},
		{"first in an array", "[" + long + "]{}", []string{`1:2! size`, `1:61 {}`}},
		{"columns after it", "[\"" + strings.Repeat("é", 40) + "\",1]", []string{`1:2! size`, `1:45 1`}},
		{"a value in it", "{\"a\":\n{\"b\":1},\"c\":\"" + strings.Repeat("x", 30) + "\"}\n{}", []string{`1:1! size`, `3:1 {}`}},
		{"lines after it", "{\"a\":\n\n\n\"" + strings.Repeat("x", 50) + "\"}\n{}", []string{`1:1! size`, `5:1 {}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for how, wrap := range chunkings {
				got, err := payloads(wrap(strings.NewReader(tt.in)), 20)
				if err != nil || !slices.Equal(got, tt.want) {
					t.Errorf("%s: got  %q, %v\nwant %q", how, got, err, tt.want)
				}
			}
		})
	}
}

// Values longer than any buffer keep their bytes.
func TestReaderLong(t *testing.T) {
	var in strings.Builder
	var want []string
	for i, n := range []int{10, 63 << 10, 200 << 10, 64<<10 - 8, 1, 300 << 10} {
		value := `{"a":"` + strings.Repeat(string(rune('a'+i)), n) + `"}`
		in.WriteString(value + "\n")
		want = append(want, fmt.Sprintf("%d:1 %s", i+1, value))
	}
	got, err := payloads(strings.NewReader(in.String()), validate.DefaultMaxPayload)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %d payloads, %v, want %d unchanged", len(got), err, len(want))
	}
}

func TestReaderError(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, in := range []string{"", "{}", "{}\n", `{"a":`, "[{},", `"a`} {
		_, err := payloads(io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)), validate.DefaultMaxPayload)
		if !errors.Is(err, broken) {
			t.Errorf("%q: got %v, want the reader's error", in, err)
		}
	}
}

// A reader that gives nothing and no error does not hang the program.
func TestReaderNoProgress(t *testing.T) {
	src := readerFunc(func([]byte) (int, error) { return 0, nil })
	if _, err := payloads(src, validate.DefaultMaxPayload); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v, want io.ErrNoProgress", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A found is a payload that was copied out of the reader.
type found struct {
	bytes    string
	none     bool
	pos      schema.Position
	problems []schema.Problem
}

func findAll(src io.Reader, limit, most int) ([]found, error) {
	var all []found
	r := validate.NewReader(src, limit)
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return all, err
		}
		all = append(all, found{string(p.Bytes), p.Bytes == nil, p.Pos, p.Problems})
		if len(all) > most {
			return all, errors.New("it does not come to an end")
		}
	}
}

// FuzzReader holds that the reader finds the same whatever the portions it gets
// the text in, that each payload stands in the text where it says, and that no
// text is passed over in silence.
func FuzzReader(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n[{\"b\":2},\n 3]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		most := 2*len(text) + 2
		all, err := findAll(bytes.NewReader(text), validate.DefaultMaxPayload, most)
		if err != nil {
			t.Fatal(err)
		}
		for how, wrap := range chunkings {
			again, err := findAll(wrap(bytes.NewReader(text)), validate.DefaultMaxPayload, most)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := fmt.Sprintf("%+v", again), fmt.Sprintf("%+v", all); got != want {
				t.Fatalf("%s: got  %s\nwant %s", how, got, want)
			}
		}
		last := int64(0)
		for _, p := range all {
			begin, end := p.pos.Offset, p.pos.Offset+int64(len(p.bytes))
			if begin < last || end > int64(len(text)) || string(text[begin:end]) != p.bytes {
				t.Fatalf("%q is not at offset %d, behind %d", p.bytes, begin, last)
			}
			last = end
			// The column of what follows a byte order mark in the middle of a
			// text is a matter of taste.
			if !bytes.Contains(text[min(len(text), 1):], []byte("\ufeff")) && p.pos != schema.Locate(text, int(begin)) {
				t.Fatalf("%q is at %+v, not %+v", p.bytes, schema.Locate(text, int(begin)), p.pos)
			}
			if p.none && len(p.problems) == 0 {
				t.Fatal("neither a payload nor a problem")
			}
			for _, q := range p.problems {
				if q.Pos.Offset < 0 || q.Pos.Offset > int64(len(text)) || q.Message == "" {
					t.Fatalf("the problem %+v is not in the text", q)
				}
			}
		}
		for _, most := range []int{1, 8} {
			short, err := payloads(bytes.NewReader(text), most)
			if err != nil {
				t.Fatal(err)
			}
			slow, err := payloads(iotest.OneByteReader(bytes.NewReader(text)), most)
			// Columns of bytes that are no code points are a matter of taste.
			if err != nil || utf8.Valid(text) && !slices.Equal(short, slow) {
				t.Fatalf("with a limit of %d: %q, but a byte at a time %q, %v", most, short, slow, err)
			}
		}
		if rest := bytes.Trim(text, " \t\r\n[]"); len(all) == 0 && len(rest) > 0 {
			t.Fatalf("%q is passed over", rest)
		}
	})
}
