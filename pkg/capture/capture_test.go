package capture_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// A record is a line as encoding/json reads it.
type record struct {
	V          int
	Kind       string
	ID         uint64
	Received   time.Time
	Remote     string
	Method     string
	URL        string
	Header     map[string][]string
	Status     int
	Verdict    string
	Body       *string
	BodyBase64 []byte `json:"body_base64"`
}

// bytes returns the body, however it is kept.
func (r record) bytes() []byte {
	if r.Body != nil {
		return []byte(*r.Body)
	}
	return r.BodyBase64
}

// decode appends a record and reads it back.
func decode(t testing.TB, d *webhook.Delivery, fields ...capture.Field) (record, []byte) {
	t.Helper()
	members, err := capture.AppendFields(nil, fields...)
	if err != nil {
		t.Fatal(err)
	}
	line := capture.Append([]byte("before"), d, members)
	line, ok := bytes.CutPrefix(line, []byte("before"))
	if !ok {
		t.Fatal("what was there before is lost")
	}
	if bytes.Count(line, []byte("\n")) != 1 || !bytes.HasSuffix(line, []byte("\n")) || bytes.ContainsRune(line, '\r') {
		t.Fatalf("%q is not one line", line)
	}
	if !utf8.Valid(line) {
		t.Fatalf("%q is not UTF-8", line)
	}
	var r record
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return r, line
}

func TestAppendBody(t *testing.T) {
	controls := ""
	for r := range rune(0xa0) {
		controls += string(r)
	}
	tests := []struct {
		name, body string
		base64     bool
	}{
		{"empty", "", false},
		{"json", "{ \"a\":\t1.0,\r\n \"b\": \"\\u0041\\n\" }\n\n", false},
		{"control characters", controls, false},
		{"html", `<a href="x">&amp;</a>`, false},
		{"line separators", "a\u2028b\u2029c\u0085", false},
		{"byte order mark", "\ufeff{}", false},
		{"emoji", "😀 e\u0301", false},
		{"replacement character", "\ufffd", false},
		{"quotes and backslashes", `"\"\\"`, false},
		{"record in a record", `{"v":1,"kind":"delivery"}` + "\n", false},
		{"not UTF-8", "\xff\xfe\x00a", true},
		{"cut rune", "abc\xe2\x82", true},
		{"surrogate", "\xed\xa0\x80", true},
		{"UTF-16", "{\x00}\x00\xff", true},
		{"long", strings.Repeat("é\n", 100_000), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := decode(t, &webhook.Delivery{Body: []byte(tt.body)})
			if string(r.bytes()) != tt.body {
				t.Errorf("the body became %q", r.bytes())
			}
			if got := r.Body == nil; got != tt.base64 {
				t.Errorf("base64 is %v, want %v", got, tt.base64)
			}
		})
	}
}

func TestAppend(t *testing.T) {
	d := &webhook.Delivery{
		ID:         18446744073709551615,
		Received:   time.Date(2026, 3, 12, 15, 30, 0, 123456789, time.FixedZone("", 3600)),
		RemoteAddr: "[::1]:5000",
		Method:     "POST",
		URL:        "/hooks?a=<b>&c",
		Status:     503,
		Header:     map[string][]string{"X-B": {"1", "2"}, "Content-Type": {"application/json"}, "X-Bad": {"\xff\"\n"}, "X-None": {}},
		Body:       []byte(`{"event": "call.missed"}`),
	}
	fields, err := capture.AppendFields(nil, capture.Field{Name: "verdict", Value: "valid"})
	if err != nil {
		t.Fatal(err)
	}
	line := capture.Append(nil, d, fields)
	want := `{"v":1,"kind":"delivery","id":18446744073709551615,"received":"2026-03-12T14:30:00.123456Z",` +
		`"remote":"[::1]:5000","method":"POST","url":"/hooks?a=<b>&c",` +
		`"header":{"Content-Type":["application/json"],"X-B":["1","2"],"X-Bad":["` + "\ufffd" + `\"\n"],"X-None":[]},` +
		`"status":503,"verdict":"valid","body":"{\"event\": \"call.missed\"}"}` + "\n"
	if string(line) != want {
		t.Errorf("got  %swant %s", line, want)
	}
	again := capture.Append(nil, d, fields)
	if !bytes.Equal(again, line) {
		t.Error("the same delivery is written in another way")
	}
	r, _ := decode(t, d, capture.Field{Name: "verdict", Value: "<x>\n"})
	if r.ID != d.ID || !r.Received.Equal(d.Received.Truncate(time.Microsecond)) || r.Verdict != "<x>\n" || !slices.Equal(r.Header["X-B"], []string{"1", "2"}) {
		t.Errorf("got %+v", r)
	}
}

// Times are written as the format says, whatever they are.
func TestAppendTime(t *testing.T) {
	for _, at := range []time.Time{
		time.Unix(0, 0), time.Unix(1, 999), time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(9999, 2, 3, 4, 5, 6, 7_008_000, time.FixedZone("", -3600)), time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC),
		{},
	} {
		line := capture.Append(nil, &webhook.Delivery{Received: at}, nil)
		if want := `"received":"` + at.UTC().Format(capture.TimeFormat) + `"`; !bytes.Contains(line, []byte(want)) {
			t.Errorf("%s has not %s", line, want)
		}
	}
}

func TestAppendFails(t *testing.T) {
	if _, err := capture.AppendFields(nil, capture.Field{Name: "verdict", Value: func() {}}); err == nil || !strings.Contains(err.Error(), "verdict") {
		t.Errorf("got %v, want an error that names the field", err)
	}
}

// FuzzAppend holds that a body comes back to the byte, from one line.
func FuzzAppend(f *testing.F) {
	f.Add([]byte("{}\n"), "/")
	f.Fuzz(func(t *testing.T, body []byte, url string) {
		given := bytes.Clone(body)
		r, line := decode(t, &webhook.Delivery{URL: url, Body: body, Header: map[string][]string{url: {url}}})
		if !bytes.Equal(r.bytes(), given) || !bytes.Equal(body, given) {
			t.Fatalf("%q became %q", given, r.bytes())
		}
		if (r.Body != nil) != utf8.Valid(body) {
			t.Fatalf("kept in the wrong way: %s", line)
		}
		if utf8.ValidString(url) && r.URL != url {
			t.Fatalf("the URL %q became %q", url, r.URL)
		}
	})
}

func ExampleAppend() {
	line := capture.Append(nil, &webhook.Delivery{
		ID:       1,
		Received: time.Date(2026, 3, 12, 14, 30, 0, 0, time.UTC),
		Method:   "POST",
		URL:      "/",
		Status:   200,
		Body:     []byte("{\n  \"event\": \"call.missed\"\n}\n"),
	}, nil)
	fmt.Print(string(line))
	// Output: {"v":1,"kind":"delivery","id":1,"received":"2026-03-12T14:30:00.000000Z","remote":"","method":"POST","url":"/","header":{},"status":200,"body":"{\n  \"event\": \"call.missed\"\n}\n"}
}
