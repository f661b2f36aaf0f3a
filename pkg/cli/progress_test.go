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
	text := "0123456789abc"
	p := a.progress(func() string { return text })
	p.update()
	p.update() // too early
	now = now.Add(progressPause)
	text = "done\x1b"
	p.update()
	p.makeWay() // data goes elsewhere
	p.clear()
	p.clear()
	p.update() // it is not there
	a.out = a.err
	p.makeWay()
	if want := "\r012345...\x1b[K\rdone\\x1b\x1b[K\r\x1b[K\rdone\\x1b\x1b[K\r\x1b[K"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	a.quiet = true
	for _, p := range []*progress{a.progress(func() string { return text }), nil} {
		p.update()
		p.makeWay()
	}
	if out.Len() > 0 {
		t.Errorf("with -q: %q", out.String())
	}
}
