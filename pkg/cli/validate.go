package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
)

// validateOptions are what the flags of validate fill.
type validateOptions struct {
	validate.Options

	formats formatList
	all     bool
}

func (a *app) validateCommand() *cobra.Command {
	var o validateOptions
	cmd := &cobra.Command{
		Use:   "validate PATH...",
		Short: "Judge captured payloads against what JustCall documents",
		Long: `Judge captured payloads against what JustCall documents.

A path is a file, a folder (its *.json, *.ndjson and *.jsonl, and those of the
folders in it; not *.schema.json), a quoted pattern ('captures/**/*.json'), or -
for standard input. A file holds one payload, several in a row, one per line, or
arrays of them; or what listen wrote with --json or --record, of which the bodies
are judged.

An error makes a payload invalid; a warning is a difference from the reference
that a handler can live with. The exit code is 0 when all payloads are valid, 1
when one is not, and 2 when a path could not be read or held no payload.`,
		Example: `  jc-webhooks validate payload.json
  jc-webhooks validate captures/ --strict
  curl -s https://example.com/last-event | jc-webhooks validate -
  jc-webhooks validate captures/ --format github
  jc-webhooks validate captures/ --format text --format junit=report.xml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.validate(cmd.Context(), args, o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.Strict, "strict", false, "count warnings as errors")
	f.BoolVar(&o.AllowUnknown, "allow-unknown", false, "only warn of event types that are not in the catalog")
	f.BoolVar(&o.ExpectInvalid, "expect-invalid", false, "want every payload to be invalid, as in a folder of bad examples")
	f.StringVar(&o.Event, "event", "", "judge every payload as an event of the type `NAME`")
	f.Var(&o.formats, "format", "how to write the verdicts, to standard output or to a file, as `FORMAT[=FILE]`:\n"+
		schema.Alternatives(report.Formats)+" (repeatable)")
	f.BoolVar(&o.all, "all-problems", false, "show every problem in text, and not just the first three of those that are alike")
	f.IntVar(&o.MaxPayload, "max-payload", validate.DefaultMaxPayload, "longest payload in `bytes`; a longer one is invalid")
	complete(cmd, "format", report.Formats...)
	must(cmd.RegisterFlagCompletionFunc("event", a.completeEvents))
	return cmd
}

func (a *app) validate(ctx context.Context, paths []string, o validateOptions) error {
	if len(paths) == 0 {
		return usage("name files or folders, or - for standard input", "nothing to validate")
	}
	if o.MaxPayload < 1 {
		return usage("", "the longest payload, %d bytes, is not above 0", o.MaxPayload)
	}
	c, err := a.catalog()
	if err != nil {
		return err
	}
	if o.Event != "" {
		if _, err = lookup(c, []string{o.Event}); err != nil {
			return err
		}
	}
	out, err := a.openReports(&o)
	if err != nil {
		return err
	}
	o.RecordNames, o.RecordBody, o.RecordPrefix = capture.Names, capture.NameBody, capture.Prefix
	o.Record = func(get func(string) []byte) (validate.Record, bool) {
		r, ok := capture.Inspect(get)
		return validate.Record(r), ok
	}
	o.Idle = out.flush
	checker, err := validate.NewChecker(c, o.Options)
	if err != nil {
		return err
	}
	if a.env.Getenv("GOGC") == "" {
		// What is explained is garbage at once. To collect it less often
		// costs some 10 MB and saves a third of the time.
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	}
	v := validation{app: a, checker: checker, out: out, judged: map[string]bool{}}
	err = out.close(&v.tally, v.paths(ctx, paths))
	switch {
	case err != nil:
		return err
	case v.failed:
		return errTold
	case v.tally.Invalid > 0:
		return errBad
	}
	return nil
}

// gcPercent is the garbage collector's target while payloads are judged.
const gcPercent = 300

// A validation is one run of validate.
type validation struct {
	app     *app
	checker *validate.Checker
	out     *reports
	tally   validate.Tally
	failed  bool // there was a question that could not be asked

	judged   map[string]bool // absolute paths
	repeated int             // paths that were passed over because of that
}

func (v *validation) fail(format string, args ...any) {
	v.failed = true
	v.app.complain(fmt.Errorf(format, args...), "")
}

func (v *validation) paths(ctx context.Context, paths []string) error {
	for _, path := range paths {
		before := v.tally.Payloads + v.repeated
		unreadable := false
		for name, err := range validate.Files([]string{path}) {
			if name != path && v.out.writes(name) {
				continue // a report within the folder that it is about
			}
			if err == nil && v.again(name) {
				continue
			}
			if err == nil {
				err = v.file(ctx, name)
			} else {
				err = errors.Join(err, v.out.begin(fileLabel(name)), v.out.end(fileLabel(name), validate.Summary{}, report.Cause(err)))
			}
			switch {
			case err == nil:
			case v.out.err != nil:
				return v.out.err
			case ctx.Err() != nil:
				return ctx.Err()
			default:
				unreadable = true
				v.fail("%s: %w", fileLabel(name), report.Cause(err))
			}
		}
		if v.tally.Payloads+v.repeated == before && !unreadable {
			v.fail("%s: nothing to validate", fileLabel(path))
		}
	}
	return nil
}

// again reports whether a file was judged before: it may be named, and be in a
// folder that is named too.
func (v *validation) again(name string) bool {
	path, err := filepath.Abs(name)
	if err != nil || name == validate.Stdin {
		return false
	}
	if v.judged[path] {
		v.repeated++
		return true
	}
	v.judged[path] = true
	return false
}

func (v *validation) file(ctx context.Context, name string) error {
	label := fileLabel(name)
	if err := v.out.begin(label); err != nil {
		return err
	}
	before := v.tally.Summary
	err := v.read(ctx, name, label)
	return errors.Join(err, v.out.end(label, v.tally.Minus(before), report.Cause(err)))
}

func (v *validation) read(ctx context.Context, name, label string) error {
	src := v.app.env.Stdin
	if name != validate.Stdin {
		f, err := os.Open(name) //nolint:gosec // to read the file that the user names is the point
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // it was only read
		// An interrupt ends a read that waits, where that is possible.
		defer context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Now()) })()
		src = f
	}
	if f, ok := src.(*os.File); ok {
		growPipe(f)
	}
	v.tally.Files++
	return v.checker.Read(ctx, label, src, &v.tally, v.out.report)
}
