package cli

import (
	"io"
	"testing"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// FuzzRehearse holds that what the flags accept can be written and read again.
func FuzzRehearse(f *testing.F) {
	c, err := webhook.LoadCatalog(fixtures.FS)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("503:20%")
	f.Fuzz(func(t *testing.T, text string) {
		var d, again delayRange
		if d.Set(text) == nil {
			if d.least < 0 || d.most < d.least || d.most > maxDelay {
				t.Errorf("%q is %v", text, d)
			}
			if s := d.String(); s != "" && (again.Set(s) != nil || again != d) {
				t.Errorf("%q is written %q and read as %v", text, s, again)
			}
		}
		var p percentage
		if p.Set(text) == nil && !(p >= 0 && p <= 1) {
			t.Errorf("%q is %v", text, p)
		}
		if r, err := parseResponse(c, text); err == nil && (r.status < 200 || r.status > 599 || !(r.share >= 0 && r.share <= 1)) {
			t.Errorf("%q is %+v", text, r)
		}
	})
}

// A share is met over many deliveries, and none and all are exact.
func TestRehearsalShare(t *testing.T) {
	c, err := webhook.LoadCatalog(fixtures.FS)
	if err != nil {
		t.Fatal(err)
	}
	const total = 20_000
	for _, tt := range []struct {
		respond     string
		least, most int
	}{{"500:0%", 0, 0}, {"500:100%", total, total}, {"500", total, total}, {"500:20%", total * 18 / 100, total * 22 / 100}} {
		r, err := newApp(Env{Stderr: io.Discard}).rehearsal(c, &rehearseOptions{respond: []string{tt.respond}, seed: 1, seeded: true})
		if err != nil {
			t.Fatal(err)
		}
		failed := 0
		for range total {
			if a, bad := r.answer(""); bad {
				failed++
				if a.Status != 500 {
					t.Fatalf("answered %d", a.Status)
				}
			}
		}
		if failed < tt.least || failed > tt.most {
			t.Errorf("%s: %d of %d failed, want %d to %d", tt.respond, failed, total, tt.least, tt.most)
		}
	}
}
