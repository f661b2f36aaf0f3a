// Package report writes results and deliveries for people and for programs:
// verdicts, deliveries that were sent, and deliveries that were received.
//
// It is the only home of prose, colour and pretty printing. It must not decide
// anything: what is an error, what the exit code is and where the text goes is
// settled before it is called.
package report

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fatih/color"
	"github.com/tidwall/pretty"
)

// A Style is how text looks on one stream.
type Style struct {
	// Color says that the stream shows colours.
	Color bool

	// Terminal says that a person sees the stream: source lines are shown
	// under problems.
	Terminal bool

	// Width is the width of the terminal in columns; 0 means 80.
	Width int
}

const defaultWidth = 80

// Columns is how wide the stream is.
func (s Style) Columns() int { return s.width() }

func (s Style) width() int {
	if s.Width > 0 {
		return s.Width
	}
	return defaultWidth
}

func (s Style) paint(text string, attributes ...color.Attribute) string {
	if !s.Color || text == "" {
		return text
	}
	// Each colour is told on its own: the package's switch knows only stdout.
	c := color.New(attributes...)
	c.EnableColor()
	return c.Sprint(text)
}

// The roles that colours have.
func (s Style) bad(text string) string    { return s.paint(text, color.FgRed, color.Bold) }
func (s Style) warn(text string) string   { return s.paint(text, color.FgYellow) }
func (s Style) good(text string) string   { return s.paint(text, color.FgGreen) }
func (s Style) strong(text string) string { return s.paint(text, color.Bold) }
func (s Style) faint(text string) string  { return s.paint(text, color.Faint) }

// Bad paints text as an error is.
func (s Style) Bad(text string) string { return s.bad(text) }

// Good paints text as a success is.
func (s Style) Good(text string) string { return s.good(text) }

// Strong paints text as a heading is.
func (s Style) Strong(text string) string { return s.strong(text) }

// Faint paints text that matters less.
func (s Style) Faint(text string) string { return s.faint(text) }

// Note paints text as a warning is.
func (s Style) Note(text string) string { return s.warn(text) }

// jsonStyle is how pretty colours JSON.
func (s Style) jsonStyle() *pretty.Style {
	around := func(attributes ...color.Attribute) [2]string {
		before, after, _ := strings.Cut(s.paint("\x00", attributes...), "\x00")
		return [2]string{before, after}
	}
	return &pretty.Style{
		Key:    around(color.FgBlue),
		String: around(color.FgGreen),
		Number: around(color.FgCyan),
		True:   around(color.FgYellow),
		False:  around(color.FgYellow),
		Null:   around(color.FgMagenta),
		Escape: around(color.FgGreen),
		Append: func(dst []byte, c byte) []byte { return append(dst, c) },
	}
}

// JSON returns doc, which must be valid JSON, indented and, where the style
// has colours, coloured. It ends with a line end. A document that is nested too
// deeply to be read this way is returned as it came. What could control a
// terminal is escaped.
func (s Style) JSON(doc []byte) []byte {
	doc = bytes.TrimPrefix(doc, []byte("\ufeff"))
	if deepest, indent := shape(doc); deepest > maxPrettyDepth || indent > maxIndent+maxGrowth*len(doc) {
		return []byte(Safe(string(doc)) + "\n")
	}
	out := pretty.PrettyOptions([]byte(SafeJSON(doc)), &pretty.Options{Width: defaultWidth, Indent: "  "})
	if s.Color {
		out = pretty.Color(out, s.jsonStyle())
	}
	return out
}

// What is indented: a document that would grow too much by it is shown as it came.
const (
	maxPrettyDepth = 64
	maxGrowth      = 8       // times its length
	maxIndent      = 1 << 16 // bytes
)

// shape returns how deep a document is nested, and about how many bytes of
// indentation it would get.
func shape(doc []byte) (deepest, indent int) {
	level, inString := 0, false
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
			indent += 2 * level
		case c == '}' || c == ']':
			level--
			indent += 2 * level
		case c == ',':
			indent += 2 * level
		}
	}
	return deepest, indent
}

// Safe returns text that came from elsewhere with everything escaped that could
// control a terminal or deceive its reader: control characters, the line end
// included, bidirectional overrides, and bytes that are not UTF-8.
func Safe(text string) string {
	return escape(text, func(b *strings.Builder, r rune) {
		switch r {
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			if r < 0x80 {
				fmt.Fprintf(b, `\x%02x`, r)
			} else {
				fmt.Fprintf(b, `\u%04x`, r)
			}
		}
	})
}

// SafeJSON is [Safe] for valid JSON, which it leaves valid and of the same
// meaning. White space between tokens stays.
func SafeJSON(doc []byte) string {
	return escape(string(doc), func(b *strings.Builder, r rune) {
		if r == '\n' || r == '\r' || r == '\t' {
			b.WriteRune(r)
			return
		}
		fmt.Fprintf(b, `\u%04x`, r)
	})
}

func escape(text string, replace func(*strings.Builder, rune)) string {
	if !strings.ContainsFunc(text, deceives) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case deceives(r):
			replace(&b, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func deceives(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || // C0, DEL, C1
		r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || // bidirectional
		r == 0x200e || r == 0x200f || r == 0x061c || r == 0x2028 || r == 0x2029 || r == 0xfeff
}

// Excerpt returns the beginning of text, made safe, in at most n columns.
func Excerpt(text []byte, n int) string {
	s := Safe(string(text[:min(len(text), 4*n)]))
	if len(text) > 4*n {
		s += strings.Repeat(" ", n) // there is more than fits, whatever was read
	}
	return truncate(s, n)
}

// truncate cuts s to n columns, with dots where something is missing.
func truncate(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	if n <= 3 {
		return string(runes[:max(n, 0)])
	}
	return string(runes[:n-3]) + "..."
}

// Size writes a number of bytes for people.
func Size(n int64) string {
	switch {
	case n < 10_000:
		return strconv.FormatInt(n, 10) + " B"
	case n < 10_000_000:
		return strconv.FormatInt(n/1000, 10) + " kB"
	}
	return strconv.FormatInt(n/1_000_000, 10) + " MB"
}

// Duration writes a time for people, with three digits at the most.
func Duration(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// Count writes a number of things: 1 error, 2 errors, 12,431 errors.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}

// Deliveries writes a number of deliveries.
func Deliveries(n int) string {
	if n == 1 {
		return "1 delivery"
	}
	return number(n) + " deliveries"
}

// number writes n with a comma between thousands.
func number(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// printable reports whether text is worth showing as text.
func printable(text []byte) bool {
	if !utf8.Valid(text) {
		return false
	}
	controls := 0
	for _, r := range string(text) {
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
			controls++
		}
	}
	return controls*10 <= len(text)
}
