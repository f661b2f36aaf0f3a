package report_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
)

func TestSafe(t *testing.T) {
	tests := []struct {
		name, in, want string
	}{
		{"plain", "abc é 😀 \u00a0", "abc é 😀 \u00a0"},
		{"empty", "", ""},
		{"escape sequence", "\x1b[31mred\x1b]0;title\x07", `\x1b[31mred\x1b]0;title\x07`},
		{"line ends and tabs", "a\r\nb\tc", `a\r\nb\tc`},
		{"NUL, backspace and DEL", "\x00\b\x7f", `\x00\x08\x7f`},
		{"C1", "\u009b31m\u0085", `\u009b31m\u0085`},
		{"bidirectional", "a\u202eb\u2066c\u200ed", `a\u202eb\u2066c\u200ed`},
		{"line separators", "a\u2028\u2029", `a\u2028\u2029`},
		{"byte order mark", "\ufeffa", `\ufeffa`},
		{"not UTF-8", "a\xffb\xe2\x82", `a\xffb\xe2\x82`},
		{"C1 as a byte", "\x9b31m", `\x9b31m`},
		{"replacement character", "\ufffd\xff", "\ufffd" + `\xff`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := report.Safe(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// SafeJSON leaves nothing in a document that controls a terminal, and leaves
// its meaning.
func TestSafeJSON(t *testing.T) {
	deceits := "\x7f\u0085\u009b\u061c\u200e\u202a\u202e\u2028\u2066\ufeff"
	for _, doc := range []string{
		`{}`,
		"{\r\n\t\"a\": 1\n}\n",
		`{"a` + deceits + `": ["` + deceits + `"]}`,
		`"\u001b[31m\\u001b"`,
		`"\\` + deceits + `"`,
		`"😀\ufffd` + "\ufffd" + `"`,
	} {
		got := report.SafeJSON([]byte(doc))
		var before, after any
		if err := json.Unmarshal([]byte(doc), &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(got), &after); err != nil || !reflect.DeepEqual(before, after) {
			t.Errorf("%q became %q: %v", doc, got, err)
		}
		if strings.ContainsAny(got, deceits) {
			t.Errorf("%q became %q, which is not safe", doc, got)
		}
	}
}

func TestJSON(t *testing.T) {
	deep := strings.Repeat("[", 1000) + strings.Repeat("]", 1000)
	tests := []struct {
		name, in, want string
	}{
		{"object", `{"a":1,"b":[]}`, "{\n  \"a\": 1,\n  \"b\": []\n}\n"},
		{"order and numbers stay", `{"b":1.0,"a":1e2}`, "{\n  \"b\": 1.0,\n  \"a\": 1e2\n}\n"},
		{"byte order mark", "\ufeff{}", "{}\n"},
		{"deep", deep, deep + "\n"},
		{"controls", "{\"a\":\"\u009b\"}", "{\n  \"a\": \"\\u009b\"\n}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(report.Style{}.JSON([]byte(tt.in))); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := string(report.Style{Color: true}.JSON([]byte(`{"a":"b"}`))); !strings.Contains(got, "\x1b[") {
		t.Errorf("got %q, want colours", got)
	}
}

func TestColor(t *testing.T) {
	for _, paint := range []func(report.Style, string) string{
		report.Style.Bad, report.Style.Good, report.Style.Strong, report.Style.Faint, report.Style.Note,
	} {
		if got := paint(report.Style{}, "x"); got != "x" {
			t.Errorf("got %q without colours", got)
		}
		if got := paint(report.Style{Color: true}, "x"); !strings.HasPrefix(got, "\x1b[") || !strings.HasSuffix(got, "m") {
			t.Errorf("got %q with colours", got)
		}
		if got := paint(report.Style{Color: true}, ""); got != "" {
			t.Errorf("got %q for nothing", got)
		}
	}
}

func TestExcerpt(t *testing.T) {
	tests := []struct {
		name, in string
		n        int
		want     string
	}{
		{"fits", "0123456789", 10, "0123456789"},
		{"cut", "0123456789a", 10, "0123456..."},
		{"two bytes a column", strings.Repeat("é", 10), 10, strings.Repeat("é", 10)},
		{"two bytes a column, cut", strings.Repeat("é", 11), 10, strings.Repeat("é", 7) + "..."},
		{"four bytes a column", strings.Repeat("😀", 10), 10, strings.Repeat("😀", 10)},
		{"escaped", "\x1b[31m", 10, `\x1b[31m`},
		{"escapes count", "\x1b\x1b\x1b", 10, `\x1b\x1...`},
		{"long", strings.Repeat("x", 1_000_000), 10, "xxxxxxx..."},
		{"narrow", "abcdef", 3, "abc"},
		{"none", "abc", 0, ""},
		{"empty", "", 10, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := report.Excerpt([]byte(tt.in), tt.n); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{
		0: "0 errors", 1: "1 error", 2: "2 errors", 999: "999 errors", 1000: "1,000 errors", 12431: "12,431 errors", 1234567: "1,234,567 errors",
	} {
		if got := report.Count(n, "error"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 9_999: "9999 B", 10_000: "10 kB", 9_999_999: "9999 kB", 10_000_000: "10 MB", 1 << 40: "1099511 MB",
	} {
		if got := report.Size(n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                            "0s",
		1234 * time.Microsecond:      "1.23ms",
		12_345 * time.Microsecond:    "12ms",
		1_234_567 * time.Microsecond: "1.23s",
		61_500 * time.Millisecond:    "1m2s",
		999_900 * time.Microsecond:   "1s",
		3 * time.Hour:                "3h0m0s",
		4 * time.Microsecond:         "0s",
	} {
		if got := report.Duration(d); got != want {
			t.Errorf("%d: got %q, want %q", d, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	rows := func() [][]string {
		return [][]string{
			{"name", "fires", "n"},
			{"a", "when it is told to do so, and at no other time", "1"},
			{"é.b", "", "22"},
			{"c\x1b[m", "x", ""},
		}
	}
	want := strings.Join([]string{
		"name     fires                                           n",
		"a        when it is told to do so, and at no other time  1",
		"é.b                                                      22",
		`c\x1b[m  x`,
		"",
	}, "\n")
	if got := (report.Style{Width: 40}).Table(rows()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	want = strings.Join([]string{
		"name     fires                        n",
		"a        when it is told to do so,    1",
		"         and at no other time",
		"é.b                                   22",
		`c\x1b[m  x`,
		"",
	}, "\n")
	if got := (report.Style{Terminal: true, Width: 40}).Table(rows()); got != want {
		t.Errorf("on a terminal: got\n%s\nwant\n%s", got, want)
	}
	if got := (report.Style{}).Table(nil); got != "" {
		t.Errorf("got %q for no rows", got)
	}
}

// On a terminal that is wide enough for its narrow columns a table fits.
func TestTableFits(t *testing.T) {
	long := strings.Repeat("word ", 50) + strings.Repeat("x", 100)
	for width := 30; width < 200; width += 7 {
		got := report.Style{Terminal: true, Width: width}.Table([][]string{{"a", "b", "c"}, {"name", long, "12"}})
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("width %d: a line of %d columns: %s", width, n, line)
			}
		}
		if strings.Count(got, "word") != 50 || strings.Count(got, "x") != 100 {
			t.Errorf("width %d: text is lost:\n%s", width, got)
		}
	}
}
