package cli

import (
	"fmt"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
)

// A progress is a line at the bottom of a terminal that says how far a command
// is. Where standard error is no terminal, or -q wants silence, there is none. A
// nil one is never shown.
type progress struct {
	app   *app
	text  func() string
	on    bool
	shown bool
	last  time.Time
}

// progressPause is how often the line is drawn at the most.
const progressPause = 100 * time.Millisecond

func (a *app) progress(text func() string) *progress {
	return &progress{app: a, text: text, on: a.err.Terminal && !a.quiet}
}

// update draws the line anew, unless it is there and that was done just now.
func (p *progress) update() {
	if p == nil || !p.on {
		return
	}
	now := p.app.env.Now()
	if p.shown && now.Sub(p.last) < progressPause {
		return
	}
	p.last, p.shown = now, true
	// A line that is as wide as the terminal would wrap.
	fmt.Fprintf(p.app.stderr, "\r%s\x1b[K", p.app.err.Faint(report.Excerpt([]byte(p.text()), p.app.err.Columns()-1)))
}

// makeWay takes the line away if data goes to the same terminal.
func (p *progress) makeWay() {
	if p != nil && p.app.out.Terminal {
		p.clear()
	}
}

// clear takes the line away, so that something else can be said.
func (p *progress) clear() {
	if p.shown {
		p.shown = false
		fmt.Fprint(p.app.stderr, "\r\x1b[K")
	}
}
