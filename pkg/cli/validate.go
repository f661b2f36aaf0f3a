package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
)

func (a *app) validateCommand() *cobra.Command {
	var o validate.Options
	format := report.Formats[0]
	cmd := &cobra.Command{
		Use:   "validate PATH...",
		Short: "Judge captured payloads against what JustCall documents",
		Long: `Judge captured payloads against what JustCall documents.

A path is a file, a folder (its *.json, *.ndjson and *.jsonl, and those of the
folders in it; not *.schema.json), or - for standard input. A file holds one
payload, several in a row, one per line, or arrays of them.

An error makes a payload invalid; a warning is a difference from the reference
that a handler can live with. The exit code is 0 when all payloads are valid, 1
when one is not, and 2 when a path could not be read or held no payload.`,
		Example: `  jc-webhooks validate payload.json
  jc-webhooks validate captures/ --strict
  curl -s https://example.com/last-event | jc-webhooks validate -
  jc-webhooks validate captures/ --format json | jq .summary`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.validate(cmd.Context(), args, o, format)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.Strict, "strict", false, "count warnings as errors")
	f.BoolVar(&o.AllowUnknown, "allow-unknown", false, "only warn of event types that are not in the catalog")
	f.StringVar(&o.Event, "event", "", "judge every payload as an event of the type `NAME`")
	f.Var(&enum{value: &format, allowed: report.Formats}, "format", "how to write the verdicts: "+alternatives(report.Formats))
	complete(cmd, "format", report.Formats...)
	must(cmd.RegisterFlagCompletionFunc("event", a.completeEvents))
	return cmd
}

func (a *app) validate(ctx context.Context, paths []string, o validate.Options, format string) error {
	if len(paths) == 0 {
		return usage("name files or folders, or - for standard input", "nothing to validate")
	}
	c, err := a.catalog()
	if err != nil {
		return err
	}
	if o.Event != "" {
		if _, err := lookup(c, []string{o.Event}); err != nil {
			return err
		}
	}
	checker, err := validate.NewChecker(c, o)
	if err != nil {
		return err
	}
	out := report.NewReporter(format, a.stdout, a.out, a.quiet)
	var sum validate.Summary
	failed := false
	fail := func(hint, format string, args ...any) {
		failed = true
		a.complain(fmt.Errorf(format, args...), hint)
	}
	for _, path := range paths {
		before := sum.Payloads
		unreadable := false
		for name, err := range validate.Files([]string{path}) {
			if err == nil {
				err = a.validateFile(ctx, checker, name, out, &sum)
			}
			var broken *outputError
			switch {
			case err == nil:
			case errors.As(err, &broken):
				return broken.err
			case ctx.Err() != nil:
				return ctx.Err()
			default:
				unreadable = true
				fail("", "%s: %w", fileLabel(name), report.Cause(err))
			}
		}
		if sum.Payloads == before && !unreadable {
			fail("", "%s: nothing to validate", fileLabel(path))
		}
	}
	if err := out.Close(sum); err != nil {
		return err
	}
	switch {
	case failed:
		return errTold
	case sum.Invalid > 0:
		return errBad
	}
	return nil
}

// An outputError is one of the stream that verdicts are written to, not of the
// file that they are about.
type outputError struct{ err error }

func (e *outputError) Error() string { return e.err.Error() }

func (a *app) validateFile(ctx context.Context, checker *validate.Checker, name string, out report.Reporter, sum *validate.Summary) error {
	src := a.env.Stdin
	if name != validate.Stdin {
		f, err := os.Open(name) //nolint:gosec // to read the file that the user names is the point
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // it was only read
		src = f
	}
	sum.Files++
	return checker.Read(ctx, fileLabel(name), src, func(v *validate.Verdict) error {
		sum.Add(v)
		if err := out.Report(v); err != nil {
			return &outputError{err}
		}
		return nil
	})
}
