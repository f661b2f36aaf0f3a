package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
)

func TestProgress(t *testing.T) {
	var out strings.Builder
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := newApp(Env{Stderr: &out, Now: func() time.Time { return now }})
	a.err = report.Style{Terminal: true, Width: 10}
	p := a.progress()
	text := func() string { return "0123456789abc" }
	p.update(text)
	p.update(text) // too early
	now = now.Add(progressPause)
	p.update(func() string { return "done\x1b" })
	p.clear()
	p.clear()
	if want := "\r012345...\x1b[K\rdone\\x1b\x1b[K\r\x1b[K"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	a.quiet = true
	p = a.progress()
	p.update(text)
	p.clear()
	if out.Len() > 0 {
		t.Errorf("with -q: %q", out.String())
	}
}
