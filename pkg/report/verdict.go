package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
)

// A Reporter writes the verdicts on payloads in one format.
type Reporter interface {
	// Report writes one verdict. Verdicts come in the order of the input.
	Report(v *validate.Verdict) error

	// Close writes what comes after the last verdict.
	Close(s validate.Summary) error
}

// Formats are the names that [NewReporter] knows.
var Formats = []string{"text", "json"}

// NewReporter returns a reporter for one of [Formats] that writes to w. With
// quiet the text has no summary.
func NewReporter(format string, w io.Writer, style Style, quiet bool) Reporter {
	out := bufio.NewWriter(w)
	if format == "json" {
		return &jsonReporter{out: out}
	}
	return &textReporter{out: out, style: style, quiet: quiet}
}

// textReporter writes a line per problem, file:line:col: severity: message, and
// on a terminal the source line with a caret under it.
type textReporter struct {
	out   *bufio.Writer
	style Style
	quiet bool
}

func (r *textReporter) Report(v *validate.Verdict) error {
	for i, p := range v.Problems {
		fmt.Fprintf(r.out, "%s:%d:%d: %s\n", r.style.strong(Safe(v.File)), p.Pos.Line, p.Pos.Column, r.style.Problem(p))
		// Problems of one place share the line that is shown.
		if last := i+1 == len(v.Problems) || v.Problems[i+1].Pos != p.Pos; last && r.style.Terminal {
			if line, at := v.Source(p); line != nil {
				r.snippet(p, line, at)
			}
		}
	}
	if r.style.Terminal {
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
	room := max(r.style.width()-len(margin)-1, 10)

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
	fmt.Fprintf(r.out, "%s%s\n", r.style.faint(margin), text)
	paint := r.style.bad
	if p.Severity == schema.Warning {
		paint = r.style.warn
	}
	fmt.Fprintf(r.out, "%s%s%s\n", r.style.faint(strings.Repeat(" ", len(margin)-2)+"| "),
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

func (r *textReporter) Close(s validate.Summary) error {
	if !r.quiet {
		fmt.Fprintln(r.out, r.style.Summary(s))
	}
	return r.out.Flush()
}

// Summary writes the counts in one line.
func (s Style) Summary(sum validate.Summary) string {
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

func (r *jsonReporter) Report(v *validate.Verdict) error {
	for _, p := range Problems(&v.Result) {
		p.File, p.Event = v.File, v.Event
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

func (r *jsonReporter) Close(s validate.Summary) error {
	if r.some {
		r.out.WriteString("\n")
	} else {
		r.out.WriteString("{\"problems\":[")
	}
	text, err := Marshal(s)
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
