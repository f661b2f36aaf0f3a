package cli

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// Every payload of a load test is valid, of the present, and has ids of its own in
// the shape of the sample's; all other bytes are the sample's.
func TestTemplates(t *testing.T) {
	c, err := webhook.LoadCatalog(fixtures.FS)
	if err != nil {
		t.Fatal(err)
	}
	checker, err := validate.NewChecker(c, validate.Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2027, 1, 2, 3, 4, 5, 6, time.UTC)
	a := newApp(Env{Now: func() time.Time { return now }})
	for _, typ := range c.Types() {
		all, err := fields(checker, typ)
		if err != nil {
			t.Fatal(err)
		}
		e := event{name: typ.Name, typ: typ, fields: all, body: typ.Sample}
		m := &mixture{sender: &sender{app: a, options: new(deliveryOptions)}, templates: []*template{newTemplate(&e, typ.Value, nil)}, weights: []int{1}, total: 1, workers: make([]mixer, 1)}
		if len(m.templates[0].stamps) == 0 || len(m.templates[0].ids) == 0 {
			t.Errorf("%s: no places for times or ids", typ.Name)
		}
		seen := map[string]bool{}
		for range 100 {
			body := m.next(0).Body
			if r := checker.Check(body); !r.Valid() || r.Event != typ.Name {
				t.Fatalf("%s: %v\n%s", typ.Name, r.Problems, body)
			}
			if len(body) < len(typ.Sample) || !bytes.Contains(body, []byte("2027-01-02T03:04:05Z")) {
				t.Fatalf("%s became %s", typ.Sample, body)
			}
			ids := ""
			for _, f := range all {
				was, is := gjson.GetBytes(typ.Sample, sjsonPath(f.Path)), gjson.GetBytes(body, sjsonPath(f.Path))
				if f.Format != "date-time" && was.Raw != is.Raw {
					ids += " " + is.Raw
				}
			}
			if ids == "" || seen[ids] {
				t.Fatalf("%s: the ids%s are not new", typ.Name, ids)
			}
			seen[ids] = true
		}
	}
}

// What is no plain id stays as it is, and so does a field that was set.
func TestTemplateOddIDs(t *testing.T) {
	all := []schema.Field{
		{Path: []string{"id"}, Required: true}, {Path: []string{"other_id"}, Required: true}, {Path: []string{"timestamp"}, Format: "date-time"},
	}
	for _, body := range []string{
		`{"id": null, "other_id": true}`, `{"id": {"a_b": [1, 2]}, "other_id": [7]}`, `{"id": "call\u0041bc", "other_id": "a\"b"}`,
		`{"id": 1e3, "other_id": -12}`, `{"id": 1.5, "other_id": ""}`, `{"id": "x_", "timestamp": "yesterday"}`, `not JSON`, ``,
	} {
		e := event{fields: all, body: []byte(body)}
		m := &mixture{sender: &sender{app: newApp(Env{Now: time.Now}), options: new(deliveryOptions)}, templates: []*template{newTemplate(&e, "x", nil)}, weights: []int{1}, total: 1, workers: make([]mixer, 1)}
		if got := string(m.next(0).Body); got != body {
			t.Errorf("%s became %s", body, got)
		}
	}
	e := event{fields: all, body: []byte(`{"id": "keep", "other_id": 7, "timestamp": "2026-01-02T03:04:05Z"}`)}
	set := []assignment{{path: []string{"id"}}, {path: []string{"timestamp"}}}
	m := &mixture{sender: &sender{app: newApp(Env{Now: time.Now}), options: new(deliveryOptions)}, templates: []*template{newTemplate(&e, "x", set)}, weights: []int{1}, total: 1, workers: make([]mixer, 1)}
	seen := map[string]bool{}
	for range 5000 {
		body := m.next(0).Body
		id := gjson.GetBytes(body, "other_id").Raw
		if seen[id] || len(id) != longID || !bytes.Contains(body, []byte(`"keep"`)) || !bytes.Contains(body, []byte("2026-01-02T03:04:05Z")) {
			t.Fatalf("got %s", body)
		}
		seen[id] = true
	}
}

// An id that stands at two places stays one, and events come as they weigh.
func TestMixture(t *testing.T) {
	e := event{name: "once", body: []byte(`{"a": "call_12ab", "b": 7}`)}
	twice := &template{label: "twice", body: []byte(`{"a": "x_12aB", "b": "x_12aB"}`), ids: []identity{{places: []int{9, 24}, length: 4}}}
	m := &mixture{
		sender:    &sender{app: newApp(Env{Now: time.Now}), options: new(deliveryOptions)},
		templates: []*template{twice, newTemplate(&e, "once", nil)}, weights: []int{3, 1}, total: 4, workers: make([]mixer, 1),
	}
	m.workers[0].chance = rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable, and no secret
	m.workers[0].bodies = make([][]byte, 2)
	count := map[string]int{}
	const total = 4000
	for range total {
		r := m.next(0)
		count[r.Event]++
		if r.Event == "twice" && gjson.GetBytes(r.Body, "a").Raw != gjson.GetBytes(r.Body, "b").Raw {
			t.Fatalf("got %s", r.Body)
		}
	}
	if n := count["twice"]; n < total*70/100 || n > total*80/100 {
		t.Errorf("%d of %d, want three quarters", n, total)
	}
}

// FuzzRate holds that a rate that is accepted can be written and read again.
func FuzzRate(f *testing.F) {
	f.Add("500/s")
	f.Fuzz(func(t *testing.T, text string) {
		var r, again rate
		if r.Set(text) != nil {
			return
		}
		if err := again.Set(r.String()); err != nil || !(r > 0) || again != r {
			t.Errorf("%q is %v, written %q, read as %v, %v", text, float64(r), r.String(), float64(again), err)
		}
	})
}
