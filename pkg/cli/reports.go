package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
)

// reports are the reporters of one run. The first error of one of them is kept:
// it ends the run, while an error of a file that is read does not.
type reports struct {
	list    []report.Reporter
	files   []*os.File
	summary string // the file of a step summary
	err     error
}

// A formatList is the flag --format: FORMAT or FORMAT=FILE, several times.
type formatList []string

func (l *formatList) String() string { return strings.Join(*l, " ") }

// Type is what help shows for the value.
func (*formatList) Type() string { return "string" }

// Set refuses a format that there is not.
func (l *formatList) Set(text string) error {
	format, file, toFile := strings.Cut(text, "=")
	switch {
	case !slices.Contains(report.Formats, format):
		return fmt.Errorf("want %s", alternatives(report.Formats))
	case toFile && file == "":
		return errors.New("want the name of a file after =")
	}
	*l = append(*l, text)
	return nil
}

// openReports opens the files of --format before anything is judged, and sets
// how many problems have to be explained.
func (a *app) openReports(o *validateOptions) (*reports, error) {
	dir, err := os.Getwd()
	if err != nil {
		dir = "" // paths stay as they are
	}
	r := &reports{}
	toStdout := ""
	o.Brief = report.Brief
	if o.all {
		o.Brief = 0
	}
	if len(o.formats) == 0 {
		o.formats = formatList{report.Formats[0]}
	}
	for _, text := range o.formats {
		format, file, toFile := strings.Cut(text, "=")
		options := report.Options{
			Style: a.out, Quiet: a.quiet, All: o.all, Dir: dir, Version: strings.Fields(versionText())[0], Now: a.env.Now,
		}
		if format != "text" {
			o.Brief = 0
		}
		if format == "github" {
			r.summary = a.env.Getenv("GITHUB_STEP_SUMMARY")
		}
		if !toFile {
			if toStdout != "" {
				return nil, usage("give one of them a file: --format "+format+"=FILE", "both %s and %s would go to standard output", toStdout, format)
			}
			toStdout = format
			r.list = append(r.list, report.NewReporter(format, a.stdout, options))
			continue
		}
		f, err := os.Create(file) //nolint:gosec // to write the file that the user names is the point
		if err != nil {
			return nil, usage("", "create the %s report %s: %w", format, file, report.Cause(err))
		}
		options.Style = report.Style{}
		r.files = append(r.files, f)
		r.list = append(r.list, report.NewReporter(format, f, options))
	}
	return r, nil
}

// each calls f with every reporter.
func (r *reports) each(f func(report.Reporter) error) error {
	if r.err != nil {
		return r.err
	}
	for _, one := range r.list {
		if err := f(one); err != nil {
			r.err = fmt.Errorf("write the report: %w", report.Cause(err))
			return r.err
		}
	}
	return nil
}

func (r *reports) begin(file string) error {
	return r.each(func(one report.Reporter) error { return one.Begin(file) })
}

func (r *reports) report(v *validate.Verdict) error {
	return r.each(func(one report.Reporter) error { return one.Report(v) })
}

func (r *reports) end(file string, s validate.Summary, cause error) error {
	return r.each(func(one report.Reporter) error { return one.End(file, s, cause) })
}

// close ends the reports and writes the step summary.
func (r *reports) close(t *validate.Tally) error {
	err := r.each(func(one report.Reporter) error { return one.Close(t) })
	for _, f := range r.files {
		err = errors.Join(err, f.Close())
	}
	if r.summary != "" && err == nil {
		err = appendFile(r.summary, report.Markdown(t))
	}
	return err
}

func appendFile(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // GitHub Actions names it
	if err != nil {
		return fmt.Errorf("write the step summary: %w", err)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
