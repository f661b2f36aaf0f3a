package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
)

// reports are the reporters of one run. The first error of one of them is kept:
// it ends the run, while an error of a file that is read does not.
type reports struct {
	mu      sync.Mutex // a run that is interrupted flushes from another goroutine
	list    []report.Reporter
	files   []*reportFile
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
		return fmt.Errorf("want %s", schema.Alternatives(report.Formats))
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
			Style: a.out, Quiet: a.quiet, All: o.all, Expected: o.ExpectInvalid, Dir: dir, Version: strings.Fields(versionText())[0], Now: a.env.Now,
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
		f, err := createReport(file)
		if err != nil {
			return nil, usage("", "create the %s report %s: %w", format, file, report.Cause(err))
		}
		if slices.ContainsFunc(r.files, func(other *reportFile) bool { return other.path == f.path }) {
			return nil, usage("give each report a file of its own", "two reports would go to %s", file)
		}
		options.Style = report.Style{}
		r.files = append(r.files, f)
		r.list = append(r.list, report.NewReporter(format, f, options))
	}
	return r, nil
}

// A reportFile is written beside its place and put there when it is whole, so that
// a report over its own input does not destroy it.
type reportFile struct {
	*os.File

	path string // absolute
}

func createReport(name string) (*reportFile, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		// A device or a pipe is written to as it is.
		f, openErr := os.OpenFile(path, os.O_WRONLY, 0) //nolint:gosec // to write what the user names is the point
		return &reportFile{f, path}, openErr
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".report-*")
	if err != nil {
		return nil, err
	}
	return &reportFile{f, path}, nil
}

// finish puts the report in its place, or takes it away.
func (f *reportFile) finish(good bool) error {
	err := f.Close()
	if f.Name() == f.path {
		return err
	}
	const mode = 0o644 // what a file is made with; it has no more in it than its input
	if err == nil && good {
		err = errors.Join(os.Chmod(f.Name(), mode), os.Rename(f.Name(), f.path))
	}
	if err != nil || !good {
		_ = os.Remove(f.Name()) // the first error is the one to tell
	}
	return err
}

// writes reports whether a file is one of the reports, or will be.
func (r *reports) writes(name string) bool {
	path, err := filepath.Abs(name)
	return err == nil && slices.ContainsFunc(r.files, func(f *reportFile) bool { return f.path == path || f.Name() == path })
}

// each calls f with every reporter.
func (r *reports) each(f func(report.Reporter) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
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

// flush writes out what was found so far; its error comes back with the next
// call.
func (r *reports) flush() { _ = r.each(func(one report.Reporter) error { return one.Flush() }) }

func (r *reports) begin(file string) error {
	return r.each(func(one report.Reporter) error { return one.Begin(file) })
}

func (r *reports) report(v *validate.Verdict) error {
	return r.each(func(one report.Reporter) error { return one.Report(v) })
}

func (r *reports) end(file string, s validate.Summary, cause error) error {
	return r.each(func(one report.Reporter) error { return one.End(file, s, cause) })
}

// close ends the reports and writes the step summary. Of a run that failed, what
// was found until then is shown, and no file is left.
func (r *reports) close(t *validate.Tally, failed error) error {
	err := failed
	if failed == nil {
		err = r.each(func(one report.Reporter) error { return one.Close(t) })
	} else {
		r.flush()
	}
	for _, f := range r.files {
		if finishErr := f.finish(err == nil); err == nil && finishErr != nil {
			err = fmt.Errorf("write the report %s: %w", f.path, report.Cause(finishErr))
		}
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
