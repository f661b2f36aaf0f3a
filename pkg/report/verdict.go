package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
)

// A Reporter writes the verdicts on payloads in one format. What it is given is
// escaped as the format needs it.
type Reporter interface {
	// Begin says that the verdicts on the payloads of a file follow.
	Begin(file string) error

	// Report writes the verdict on a payload that has problems. Verdicts come
	// in the order of the input.
	Report(v *validate.Verdict) error

	// End says what was counted in the file, and what kept it from being read
	// to the end.
	End(file string, s validate.Summary, err error) error

	// Flush writes out what was reported so far.
	Flush() error

	// Close writes what comes after the last file. It must be called once,
	// whatever came before.
	Close(t *validate.Tally) error
}

// Formats are the names that [NewReporter] knows.
var Formats = []string{"text", "json", "ndjson", "junit", "sarif", "github", "gitlab"}

// Options say how reporters write.
type Options struct {
	Style Style

	// Quiet leaves the summary out of text.
	Quiet bool

	// All makes text show every problem, and not just the first of a group.
	All bool

	// Expected says that payloads were wanted to be invalid: the summary counts
	// those that are as expected.
	Expected bool

	// Dir is the working directory: CI systems want paths relative to it.
	Dir string

	// Version is that of the program.
	Version string

	// Now is the clock.
	Now func() time.Time
}

// Brief is how many problems of a [validate.Group] the text shows.
const Brief = 3

// NewReporter returns a reporter for one of [Formats] that writes to w.
func NewReporter(format string, w io.Writer, o Options) Reporter {
	out := bufio.NewWriterSize(w, 64<<10)
	switch format {
	case "json":
		return &jsonReporter{out: out}
	case "ndjson":
		return &ndjsonReporter{out: out}
	case "junit":
		return &junitReporter{out: out, dir: o.Dir, version: o.Version, now: o.Now}
	case "sarif":
		return &sarifReporter{out: out, dir: o.Dir, version: o.Version, rules: map[string]bool{}}
	case "github":
		return &githubReporter{out: out, dir: o.Dir}
	case "gitlab":
		return &gitlabReporter{out: out, dir: o.Dir}
	}
	return &textReporter{out: out, Options: o, start: o.Now()}
}

// textReporter writes a line per problem, file:line:col: severity: message, and
// on a terminal the source line with a caret under it. Of many that are alike it
// shows the first few.
type textReporter struct {
	Options

	out   *bufio.Writer
	start time.Time
}

func (*textReporter) Begin(string) error { return nil }

func (r *textReporter) Flush() error { return r.out.Flush() }

func (*textReporter) End(string, validate.Summary, error) error { return nil }

func (r *textReporter) Report(v *validate.Verdict) error {
	var shown []schema.Problem
	for i := range v.Problems {
		if r.All || i >= len(v.Ranks) || v.Ranks[i] <= Brief {
			shown = append(shown, v.Problems[i])
		}
	}
	for i, p := range shown {
		fmt.Fprintf(r.out, "%s:%d:%d: %s\n", r.Style.strong(Safe(v.File)), p.Pos.Line, p.Pos.Column, r.Style.Problem(p))
		// Problems of one place share the line that is shown.
		if last := i+1 == len(shown) || shown[i+1].Pos != p.Pos; last && r.Style.Terminal {
			if line, at := v.Source(p); line != nil {
				r.snippet(p, line, at)
			}
		}
	}
	if r.Style.Terminal {
		return r.out.Flush()
	}
	return nil
}

// Problem writes what is wrong and where in the payload.
func (s Style) Problem(p schema.Problem) string {
	severity := s.bad("error:")
	if p.Severity == schema.Warning {
		severity = s.warn("warning:")
	}
	if p.Pointer == "" {
		return severity + " " + Safe(p.Message)
	}
	return severity + " " + s.strong(Safe(p.Pointer)+":") + " " + Safe(p.Message)
}

// snippet shows the line that a problem is in, or the part of it that fits, and
// marks the place.
func (r *textReporter) snippet(p schema.Problem, line []byte, at int) {
	number := strconv.Itoa(p.Pos.Line)
	margin := strings.Repeat(" ", max(4-len(number), 0)) + number + " | "
	room := max(r.Style.width()-len(margin)-1, 10)

	end := min(at+max(p.Length, 1), len(line))
	before := visible(line[:at])
	marked := visible(line[at:end])
	after := visible(line[end:min(end+4*room, len(line))])
	if keep := room * 2 / 3; len(before) > keep {
		before = append([]rune("..."), before[len(before)-max(keep/2, 4):]...)
	}
	if keep := room - len(before); len(marked) > keep {
		marked = marked[:max(keep, 1)]
		after = nil
	}
	text := truncate(string(before)+string(marked)+string(after), room)
	fmt.Fprintf(r.out, "%s%s\n", r.Style.faint(margin), text)
	paint := r.Style.bad
	if p.Severity == schema.Warning {
		paint = r.Style.warn
	}
	fmt.Fprintf(r.out, "%s%s%s\n", r.Style.faint(strings.Repeat(" ", len(margin)-2)+"| "),
		strings.Repeat(" ", len(before)), paint(strings.Repeat("^", max(len(marked), 1))))
}

// visible makes each code point of source, and each byte that is part of none,
// one column wide, so that a caret can be put under it.
func visible(source []byte) []rune {
	runes := make([]rune, 0, len(source))
	for _, r := range string(source) {
		switch {
		case r == '\t':
			r = ' '
		case deceives(r):
			r = utf8.RuneError
		}
		runes = append(runes, r)
	}
	return runes
}

func (r *textReporter) Close(t *validate.Tally) error {
	cut := false
	for _, l := range t.Likes() {
		if more := l.Count - Brief; more > 0 && !r.All {
			cut = true
			in := ""
			if l.Event != "" {
				in = " in " + Excerpt([]byte(l.Event), maxName)
			}
			fmt.Fprintf(r.out, "and %s more like this%s: %s\n", number(more), in, r.Style.Problem(l.First))
		}
	}
	if cut && !r.Quiet {
		fmt.Fprintln(r.out, r.Style.faint("(--all-problems shows every one)"))
	}
	if !r.Quiet {
		fmt.Fprintf(r.out, "%s %s\n", r.Style.Summary(t.Summary, r.Expected), r.Style.faint("("+Duration(r.Now().Sub(r.start))+")"))
	}
	return r.out.Flush()
}

// Summary writes the counts in one line.
func (s Style) Summary(sum validate.Summary, expected bool) string {
	if expected {
		return fmt.Sprintf("%s in %s: %s as expected, %s not", Count(sum.Payloads, "payload"), Count(sum.Files, "file"), number(sum.Valid), number(sum.Invalid))
	}
	parts := []string{s.good(number(sum.Valid) + " valid")}
	if sum.Invalid > 0 {
		parts = append(parts, s.bad(number(sum.Invalid)+" invalid"))
	} else {
		parts = append(parts, "0 invalid")
	}
	parts = append(parts, Count(sum.Errors, "error"))
	if sum.Warnings > 0 {
		parts = append(parts, s.warn(Count(sum.Warnings, "warning")))
	} else {
		parts = append(parts, "0 warnings")
	}
	return fmt.Sprintf("%s in %s: %s", Count(sum.Payloads, "payload"), Count(sum.Files, "file"), strings.Join(parts, ", "))
}

// jsonReporter writes one object: problems, then a summary. Problems are
// written as they come.
type jsonReporter struct {
	out  *bufio.Writer
	some bool
}

// A Problem is a problem as programs read it. File and Event are left out
// where the reader knows them.
type Problem struct {
	File     string `json:"file,omitempty"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Offset   int64  `json:"offset"`
	Pointer  string `json:"pointer"`
	Keyword  string `json:"keyword"`
	Severity string `json:"severity"`
	Event    string `json:"event,omitempty"`
	Message  string `json:"message"`
}

// Problems returns the problems of a result as programs read them.
func Problems(r *validate.Result) []Problem {
	problems := make([]Problem, len(r.Problems))
	for i, p := range r.Problems {
		problems[i] = Problem{
			Line: p.Pos.Line, Column: p.Pos.Column, Offset: p.Pos.Offset,
			Pointer: p.Pointer, Keyword: p.Keyword, Severity: p.Severity.String(), Message: p.Message,
		}
	}
	return problems
}

// verdictProblems returns the problems of a verdict as programs read them.
func verdictProblems(v *validate.Verdict) []Problem {
	problems := Problems(&v.Result)
	for i := range problems {
		problems[i].File, problems[i].Event = v.File, v.Event
	}
	return problems
}

func (*jsonReporter) Begin(string) error { return nil }

func (r *jsonReporter) Flush() error { return r.out.Flush() }

func (*jsonReporter) End(string, validate.Summary, error) error { return nil }

func (r *jsonReporter) Report(v *validate.Verdict) error {
	for _, p := range verdictProblems(v) {
		if r.some {
			r.out.WriteString(",\n")
		} else {
			r.out.WriteString("{\"problems\":[\n")
		}
		r.some = true
		text, err := Marshal(p)
		if err != nil {
			return err
		}
		if _, err := r.out.Write(text); err != nil {
			return err
		}
	}
	return nil
}

func (r *jsonReporter) Close(t *validate.Tally) error {
	if r.some {
		r.out.WriteString("\n")
	} else {
		r.out.WriteString("{\"problems\":[")
	}
	text, err := Marshal(t.Summary)
	if err != nil {
		return err
	}
	fmt.Fprintf(r.out, "],\"summary\":%s}\n", text)
	return r.out.Flush()
}

// Marshal encodes v as JSON in one line, without escapes for HTML and without
// a line end.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
