package cli

import (
	"fmt"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
)

// A progress is a line at the bottom of a terminal that says how far a command
// is. Where standard error is no terminal, or -q wants silence, there is none.
type progress struct {
	app   *app
	on    bool
	shown bool
	last  time.Time
}

// progressPause is how often the line is drawn at the most.
const progressPause = 100 * time.Millisecond

func (a *app) progress() *progress { return &progress{app: a, on: a.err.Terminal && !a.quiet} }

// update draws the line anew, unless that was done just now.
func (p *progress) update(text func() string) {
	now := p.app.env.Now()
	if !p.on || now.Sub(p.last) < progressPause {
		return
	}
	p.last, p.shown = now, true
	// A line that is as wide as the terminal would wrap.
	fmt.Fprintf(p.app.stderr, "\r%s\x1b[K", p.app.err.Faint(report.Excerpt([]byte(text()), p.app.err.Columns()-1)))
}

// clear takes the line away, so that something else can be written.
func (p *progress) clear() {
	if p.shown {
		p.shown = false
		fmt.Fprint(p.app.stderr, "\r\x1b[K")
	}
}
