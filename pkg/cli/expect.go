package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// expectOptions are what the flags fill that make listen a judge in CI.
type expectOptions struct {
	expect  []string
	valid   bool
	timeout time.Duration
	command string
	args    []string
}

// An expectation is a number of events of a type, or of the types that a pattern
// matches.
type expectation struct {
	pattern    string
	want, have int
	invalid    int // events that do not count because they are invalid
}

// expectations are what has to arrive. They are told of events by one goroutine
// and asked by another one.
type expectations struct {
	mu    sync.Mutex
	list  []expectation
	valid bool
	met   func() // called once, when all has arrived
}

// parseExpect reads --expect: NAME, PATTERN, or either with =N.
func parseExpect(c *webhook.Catalog, o *expectOptions, met func()) (*expectations, error) {
	e := &expectations{valid: o.valid, met: met}
	for _, text := range o.expect {
		pattern, number, counted := strings.Cut(text, "=")
		x := expectation{pattern: pattern, want: 1}
		if counted {
			n, err := strconv.Atoi(number)
			if err != nil || n < 1 {
				return nil, usage("it is written --expect 'sms.*=3'", "%q expects %q events, want a number above 0", text, number)
			}
			x.want = n
		}
		if err := checkPattern(c, pattern, "it is written --expect 'sms.*=3'"); err != nil {
			return nil, err
		}
		e.list = append(e.list, x)
	}
	return e, nil
}

// checkPattern reports a pattern that no event type of the catalog matches.
func checkPattern(c *webhook.Catalog, pattern, hint string) error {
	if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
		return usage(hint, "%q is no pattern of event types", pattern)
	}
	for _, name := range c.Names() {
		if matches(pattern, name) {
			return nil
		}
	}
	known := "the event types are " + strings.Join(c.Names(), ", ")
	if near := schema.Nearest(pattern, c.Names(), 3); len(near) > 0 {
		return usage(known, "no event type is %q; did you mean %s?", pattern, schema.Alternatives(near))
	}
	return usage(known, "no event type is %q", pattern)
}

// matches reports whether an event type is of a pattern that was checked before.
func matches(pattern, event string) bool {
	ok, err := path.Match(pattern, event)
	return ok && err == nil
}

// add counts an event for every expectation that it meets.
func (e *expectations) add(event string, valid bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.list) == 0 {
		return
	}
	before := e.missing()
	for i := range e.list {
		x := &e.list[i]
		if !matches(x.pattern, event) {
			continue
		}
		if e.valid && !valid {
			x.invalid++
		} else {
			x.have++
		}
	}
	if len(before) > 0 && len(e.missing()) == 0 {
		e.met()
	}
}

// missing says what has not arrived. The caller holds the lock.
func (e *expectations) missing() []string {
	var missing []string
	for _, x := range e.list {
		if x.have >= x.want {
			continue
		}
		text := fmt.Sprintf("%d of %d %s", x.want-x.have, x.want, x.pattern)
		if x.invalid > 0 {
			text += fmt.Sprintf(" (%d more came and were invalid)", x.invalid)
		}
		missing = append(missing, text)
	}
	return missing
}

// verdict returns nil when all has arrived.
func (e *expectations) verdict() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if missing := e.missing(); len(missing) > 0 {
		return &failure{code: exitBad, err: errors.New("missing: " + strings.Join(missing, ", "))}
	}
	return nil
}

// check finds what does not go together.
func (o *expectOptions) check(args []string) error {
	o.args = args
	switch {
	case o.command == "" && len(args) > 0:
		return usage("a command is given as --exec CMD -- ARGS", "listen takes no arguments, got %d", len(args))
	case o.valid && len(o.expect) == 0:
		return usage("name what is expected with --expect", "--expect-valid is about expected events, and there are none")
	case o.timeout < 0:
		return usage("", "the timeout %v is below 0", o.timeout)
	case o.timeout > 0 && len(o.expect) == 0 && o.command == "":
		return usage("name what is expected with --expect", "--timeout is about expected events or a command, and there are none")
	}
	return nil
}

// start runs the command of --exec, which finds the listener where send looks for
// it. The channel has its error, once; without a command it never has anything.
func (a *app) start(ctx context.Context, o *expectOptions, url string) <-chan error {
	ended := make(chan error, 1)
	if o.command == "" {
		return ended
	}
	cmd := exec.CommandContext(ctx, o.command, o.args...) //nolint:gosec // to run what the user names is the point
	cmd.Stdin = nil
	cmd.Stdout, cmd.Stderr = a.stderr, a.stderr // standard output is for the events
	cmd.Env = append(os.Environ(), variable("to")+"="+url)
	go func() {
		err := cmd.Run()
		if err != nil {
			err = &failure{code: exitBad, err: fmt.Errorf("%s: %w", o.command, err)}
			var exit *exec.ExitError
			switch {
			case errors.Is(cmd.Err, exec.ErrNotFound):
				err = usage("", "%s is not on the path", o.command)
			case !errors.As(err, &exit): // it could not be run
				err = usage("a command is given as --exec CMD -- ARGS", "run %s: %w", o.command, report.Cause(errors.Unwrap(err)))
			}
		}
		ended <- err
		close(ended)
	}()
	return ended
}

// supervise runs the command of --exec and keeps the time. It ends the listener
// when the time is up, when the command has failed, and when the command has ended
// and nothing more is expected or may be waited for.
func (a *app) supervise(ctx context.Context, end func(), o *expectOptions, url string, met <-chan struct{}) error {
	defer end()
	running, stop := context.WithCancel(ctx)
	ended := a.start(running, o, url)
	defer func() {
		stop()
		if ended != nil && o.command != "" {
			for range ended {
				continue // what a command says that is ended on purpose is no news
			}
		}
	}()
	var late <-chan time.Time
	if o.timeout > 0 {
		timer := time.NewTimer(o.timeout)
		defer timer.Stop()
		late = timer.C
	}
	waiting, expecting := o.command != "", len(o.expect) > 0
	for {
		select {
		case failed := <-ended:
			if failed != nil || !expecting || o.timeout == 0 {
				return failed
			}
			waiting, ended = false, nil
		case <-met:
			if expecting = false; !waiting {
				return nil
			}
			met = nil
		case <-late:
			if waiting {
				return &failure{code: exitBad, err: fmt.Errorf("%s did not end within %v", o.command, o.timeout)}
			}
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}
