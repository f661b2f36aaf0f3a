// Package cli is the command line: it turns arguments and environment into
// options, wires the packages that do the work, and turns what they say into
// streams and an exit code.
//
// It must not judge, deliver, receive or render anything itself. Data goes to
// standard output, everything said about it to standard error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
)

// The exit codes of every command.
const (
	exitDone        = 0   // done
	exitBad         = 1   // asked and answered: invalid, not acknowledged, not as expected
	exitUsage       = 2   // the question could not be asked
	exitInterrupted = 130 // Ctrl-C: at once, or for the second time
)

// An Env is everything that a run takes from its surroundings.
type Env struct {
	Args           []string // without the name of the program
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Now            func() time.Time
	Signals        <-chan os.Signal // each asks to end, the second at once
}

// OSEnv returns the surroundings of the process.
func OSEnv() Env {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return Env{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Now: time.Now, Signals: signals,
	}
}

// grace is how long a command may take to notice that it was interrupted. One
// that drains sets app.drains and takes its time.
const grace = time.Second

// sameInterrupt is the time within which two signals are one wish.
const sameInterrupt = 50 * time.Millisecond

// Main runs one command and returns the exit code of the process.
func Main(env Env) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := newApp(env)
	done := make(chan int, 1)
	go func() { done <- a.run(ctx) }()
	var overdue <-chan time.Time
	interrupted := false
	var first time.Time // of an interrupt
	for {
		select {
		case code := <-done:
			return code
		case <-overdue:
			return exitInterrupted
		case <-env.Signals:
			// One Ctrl-C can come twice: to the process and to its group.
			if interrupted && time.Since(first) > sameInterrupt {
				return exitInterrupted
			}
			if interrupted {
				continue
			}
			interrupted, first = true, time.Now()
			cancel()
			if !a.drains.Load() {
				overdue = time.After(grace)
			}
		}
	}
}

// An app is one run.
type app struct {
	env            Env
	stdout, stderr *stream
	out, err       report.Style // of the two streams
	quiet          bool
	color          string
	eventsDirs     []string
	drains         atomic.Bool // an interrupt ends the command well, in its own time
}

func newApp(env Env) *app {
	return &app{env: env, stdout: &stream{w: env.Stdout}, stderr: &stream{w: env.Stderr}}
}

// A stream is an output that several goroutines write to and that remembers its
// first error: nobody asks fmt.Fprintln for one.
type stream struct {
	mu  sync.Mutex
	w   io.Writer
	err error
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}

// style says how text looks on w, going by the flag, the environment and the
// stream itself, in this order.
func (a *app) style(w io.Writer) report.Style {
	var s report.Style
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		s.Terminal = true
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			s.Width = width
		}
	}
	forced := func(name string) bool {
		v := a.env.Getenv(name)
		return v != "" && v != "0" && v != "false"
	}
	switch {
	case a.color == "always":
		s.Color = true
	case a.color == "never":
	case a.env.Getenv("NO_COLOR") != "":
	case forced("FORCE_COLOR"), forced("CLICOLOR_FORCE"):
		s.Color = true
	case a.env.Getenv("TERM") == "dumb":
	default:
		s.Color = s.Terminal
	}
	return s
}

// A failure is an error with an exit code and, where there is one, the next
// thing to type.
type failure struct {
	code int
	err  error
	hint string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// usage is a failure to ask: exit 2.
func usage(hint, format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...), hint: hint}
}

// errBad ends a command whose answer is bad and was told already: exit 1.
var errBad = errors.New("the answer is bad")

// errTold is like errBad for a question that could not be asked: exit 2.
var errTold = errors.New("told already")

// exclusive is how cobra says that flags rule each other out.
var exclusive = regexp.MustCompile(`none of the others can be; \[(.*)\] were all set`)

// run runs the command and says what went wrong.
func (a *app) run(ctx context.Context) int {
	root := a.root()
	root.SetArgs(a.env.Args)
	err := root.ExecuteContext(ctx)
	if err == nil && a.stdout.err != nil {
		err = fmt.Errorf("write to standard output: %w", report.Cause(a.stdout.err))
	}
	if err == nil {
		return exitDone
	}
	if a.err == (report.Style{}) {
		a.err = a.style(a.env.Stderr)
	}
	var f *failure
	switch {
	case errors.Is(err, errBad):
		return exitBad
	case errors.Is(err, errTold):
		return exitUsage
	case errors.Is(err, syscall.EPIPE):
		return exitUsage // whoever read the output has left: nobody to tell
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &f):
		a.complain(f.err, f.hint)
		return f.code
	}
	if flags := exclusive.FindStringSubmatch(err.Error()); flags != nil {
		err = errors.New("--" + strings.ReplaceAll(flags[1], " ", " and --") + " do not go together")
	}
	a.complain(err, "")
	return exitUsage
}

// complain writes an error and a hint to standard error.
func (a *app) complain(err error, hint string) {
	fmt.Fprintf(a.stderr, "%s %s\n", a.err.Bad("error:"), safeLines(err.Error()))
	if hint != "" {
		a.hint(hint)
	}
}

func (a *app) hint(text string) {
	fmt.Fprintf(a.stderr, "%s %s\n", a.err.Strong("hint:"), safeLines(text))
}

// writeLine writes what a function that encodes has returned, and a line end, to
// standard output.
func (a *app) writeLine(text []byte, err error) error {
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(append(text, '\n'))
	return err
}

// say writes one line to standard error, unless it was asked to be quiet.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}
