package validate

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// own returns a checker for event types of its own, by name: the schema.
func own(t *testing.T, o Options, schemas map[string]string) *Checker {
	t.Helper()
	folder := fstest.MapFS{}
	for name, source := range schemas {
		folder[name+".json"] = &fstest.MapFile{Data: []byte(`{}`)}
		folder[name+".schema.json"] = &fstest.MapFile{Data: []byte(source)}
	}
	c, err := webhook.LoadCatalog(folder)
	if err != nil {
		t.Fatal(err)
	}
	checker, err := NewChecker(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return checker
}

// TestCounts holds that no payload is counted twice.
func TestCounts(t *testing.T) {
	c := own(t, Options{Event: "x"}, map[string]string{"x": `{"properties":{"event":{"const":"x"}}}`})
	for text, want := range map[string]Summary{
		"5 6\n":      {Payloads: 1, Invalid: 1, Errors: 1},
		"[5 6, 7]\n": {Payloads: 2, Valid: 1, Invalid: 1, Errors: 1},
		"{}\n{}\n":   {Payloads: 2, Valid: 2, Warnings: 2},
	} {
		if _, got := verdicts(t, c, "x", []byte(text)); got.Summary != want {
			t.Errorf("%q: got %+v, want %+v", text, got.Summary, want)
		}
	}
}

// TestFamilies holds that the fast program takes a payload for the same type as
// the authority does, where two envelopes are in the catalog.
func TestFamilies(t *testing.T) {
	schemas := map[string]string{
		"x":      `{"properties":{"event":{"const":"x"}},"required":["event"]}`,
		"live/y": `{"properties":{"type":{"const":"y"},"event":{"type":["string","null"]}},"required":["type"]}`,
	}
	fast, slow := own(t, Options{}, schemas), own(t, Options{}, schemas)
	slow.slow = true
	for _, text := range []string{
		`{"event":null,"type":"y"}`, `{"event":"no\u0070e","type":"y"}`, `{"event":"\u0078","type":"y"}`, `{"type":"y"}`, `{"type":"y","event":"x"}`,
		`{"event":"x"}`, `{"type":"z"}`,
	} {
		sameVerdict(t, fast, slow, []byte(text+"\n"+text+"\n"))
	}
}

// TestBorders moves a text over the border of a chunk, which must change nothing.
func TestBorders(t *testing.T) {
	const tail = "{\"event\":1}\n{\"a\":\n{\"b\": \"" + "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" + "\"}\n{\"c\":1}\n"
	c := own(t, Options{MaxPayload: 100}, map[string]string{"x": `{"properties":{"event":{"const":"x"}}}`})
	want := -1
	for pad := range 40 {
		text := strings.Repeat("{\"event\":1}\n", 10_000)
		text += strings.Repeat("\n", 2*chunkSize-len(text)-pad) + tail
		_, got := verdicts(t, c, "x", []byte(text))
		if want < 0 {
			want = got.Payloads
		}
		if got.Payloads != want {
			t.Fatalf("with the border %d bytes on: %d payloads, want %d", pad, got.Payloads, want)
		}
	}
}

// TestUnclosed holds that lines which are never closed take time in proportion to
// their number: they did not, once.
func TestUnclosed(t *testing.T) {
	c := checker(t)
	text := strings.Repeat("{\"a\":\n", 100_000)
	_, got := verdicts(t, c, "x", []byte(text))
	if got.Invalid != got.Payloads || got.Payloads < 99_000 {
		t.Errorf("got %+v", got.Summary)
	}
}

// TestMadeUpNames holds that names which a sender makes up do not fill the memory.
func TestMadeUpNames(t *testing.T) {
	c := checker(t)
	c.options.Brief = 3
	var text strings.Builder
	for i := range 3 * maxGroups {
		fmt.Fprintf(&text, "{\"event\":\"made-up-%d\"}\n", i)
	}
	_, got := verdicts(t, c, "x", []byte(text.String()))
	if n := len(got.Likes()); n > maxGroups+10 || got.Errors != 3*maxGroups {
		t.Errorf("%d groups of %d errors", n, got.Errors)
	}
	sum := 0
	for _, l := range got.Likes() {
		sum += l.Count
	}
	if sum != got.Errors {
		t.Errorf("%d errors in groups, of %d", sum, got.Errors)
	}
}

// TestSlowPipe holds that a payload is judged when its line has come, and not
// when a chunk is full.
func TestSlowPipe(t *testing.T) {
	idle := make(chan struct{}, 100)
	c := checker(t)
	c.options.Idle = func() { idle <- struct{}{} }
	r, w := io.Pipe()
	found := make(chan schema.Problem, 10)
	done := make(chan error, 1)
	go func() {
		done <- c.Read(context.Background(), "x", r, new(Tally), func(v *Verdict) error {
			found <- v.Problems[0]
			return nil
		})
	}()
	for i := range 3 {
		if _, err := io.WriteString(w, "{\"event\":1}\n"); err != nil {
			t.Fatal(err)
		}
		select {
		case p := <-found:
			if p.Pos.Line != i+1 {
				t.Errorf("line %d, want %d", p.Pos.Line, i+1)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing was found")
		}
		select {
		case <-idle:
		case <-time.After(10 * time.Second):
			t.Fatal("it was never idle")
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
