package validate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
)

// DefaultMaxPayload is the longest payload that is read, in bytes, unless a
// caller says otherwise.
const DefaultMaxPayload = 16 << 20

const (
	keywordSize = "size" // a payload longer than the limit
	firstBuffer = 64 << 10
	whitespace  = " \t\r\n"
)

// A Payload is one of the values that a [Reader] finds.
type Payload struct {
	// Bytes are the payload to the byte, good until the next call of Next.
	// They are nil when there is only a problem to tell of.
	Bytes []byte

	// Pos is where the payload begins in the text.
	Pos schema.Position

	// Problems are those of the text around the payload, with positions in
	// the whole text.
	Problems []schema.Problem
}

// A Reader splits a text into payloads: the values that stand in it one after
// the other, with or without line ends between them, and the elements of each
// value that is an array. It looks only at what opens and closes a value. After
// one that is broken it goes on with the next line that opens a value in the
// same column. It holds one payload in memory at a time.
type Reader struct {
	src io.Reader
	max int

	buf   []byte
	start int             // of what was not yet returned, in buf
	pos   schema.Position // of buf[start]
	err   error           // of src

	strict     bool // a payload ends with its line, if not in an array
	begun      bool
	inArray    bool
	afterValue bool // in an array: a comma or the end has to follow
	pending    []schema.Problem
}

// NewReader returns a reader of the payloads in src, none longer than
// maxPayload bytes.
func NewReader(src io.Reader, maxPayload int) *Reader {
	return &Reader{src: src, max: maxPayload, pos: schema.Position{Line: 1, Column: 1}}
}

// more reads on and reports whether there was anything.
func (r *Reader) more() bool {
	if r.err != nil {
		return false
	}
	if len(r.buf) == cap(r.buf) {
		if r.start > 0 && r.start >= cap(r.buf)/2 {
			r.buf = r.buf[:copy(r.buf, r.buf[r.start:])]
			r.start = 0
		} else {
			grown := make([]byte, len(r.buf)-r.start, max(firstBuffer, 2*(len(r.buf)-r.start)))
			copy(grown, r.buf[r.start:])
			r.buf, r.start = grown, 0
		}
	}
	// A reader may return nothing a few times; one that always does is broken.
	for range 100 {
		n, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		r.err = err
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	r.err = io.ErrNoProgress
	return false
}

// rest is what was read and not returned.
func (r *Reader) rest() []byte { return r.buf[r.start:] }

// advance passes over n bytes.
func (r *Reader) advance(n int) {
	r.pos = r.pos.After(r.buf[r.start : r.start+n])
	r.start += n
}

// skipSpace passes over white space and returns the byte that follows, or 0 at
// the end of the text.
func (r *Reader) skipSpace() byte {
	for {
		rest := r.rest()
		trimmed := bytes.TrimLeft(rest, whitespace)
		r.advance(len(rest) - len(trimmed))
		if len(trimmed) > 0 {
			return trimmed[0]
		}
		if !r.more() {
			return 0
		}
	}
}

// Next returns the next payload. At the end of the text the error is io.EOF;
// any other error is that of the underlying reader.
func (r *Reader) Next() (Payload, error) {
	if !r.begun {
		r.begun = true
		if p, ok := r.begin(); ok {
			return p, nil
		}
	}
	for {
		c := r.skipSpace()
		if c == 0 && len(r.rest()) == 0 {
			if r.err != nil && !errors.Is(r.err, io.EOF) {
				return Payload{}, r.err
			}
			if r.inArray {
				r.inArray = false
				return r.fault("unexpected end of JSON in an array of payloads"), nil
			}
			if len(r.pending) > 0 {
				return r.payload(0), nil
			}
			return Payload{}, io.EOF
		}
		switch {
		case r.inArray && c == ']':
			r.advance(1)
			r.inArray, r.afterValue = false, false
		case r.inArray && r.afterValue && c == ',':
			comma := r.fault("a comma before the end of the array")
			r.advance(1)
			r.afterValue = false
			if r.skipSpace() == ']' {
				return comma, nil
			}
		case r.inArray && r.afterValue:
			r.afterValue = false
			return r.fault(fmt.Sprintf("invalid character %q after an element of the array (expecting ',' or ']')", c)), nil
		case !r.inArray && c == '[':
			r.advance(1)
			r.inArray, r.afterValue = true, false
		case c == ',':
			p := r.fault("a comma where a payload should begin")
			r.advance(1)
			return p, nil
		default:
			return r.value(c)
		}
	}
}

// begin deals with what can only stand at the start of a text.
func (r *Reader) begin() (Payload, bool) {
	for len(r.rest()) < 4 && r.more() {
	}
	if schema.OtherEncoding(r.rest()) != "" {
		// Its units would be taken for broken lines: it is one payload.
		for len(r.rest()) < r.max && r.more() {
		}
		p := r.payload(min(len(r.rest()), 4))
		r.start, r.err = len(r.buf), io.EOF
		return p, true
	}
	if bytes.HasPrefix(r.rest(), []byte(schema.ByteOrderMark)) {
		r.pending = append(r.pending, schema.BOMProblem(r.pos))
		r.start += len(schema.ByteOrderMark)
		r.pos.Offset += int64(len(schema.ByteOrderMark))
	}
	return Payload{}, false
}

// payload takes the next n bytes as a payload.
func (r *Reader) payload(n int) Payload {
	p := Payload{Pos: r.pos, Problems: r.pending}
	r.pending = nil
	if n > 0 {
		p.Bytes = bytes.TrimRight(r.rest()[:n:n], whitespace)
		r.advance(n)
	}
	return p
}

// fault makes a payload of a problem at the next byte.
func (r *Reader) fault(message string) Payload {
	p := Payload{Pos: r.pos, Problems: append(r.pending, schema.Problem{
		Pos: r.pos, Length: 1, Keyword: schema.KeywordSyntax, Message: message,
	})}
	r.pending = nil
	return p
}

// value returns the payload that begins with c.
func (r *Reader) value(c byte) (Payload, error) {
	s := scanner{column: r.pos.Column}
	s.inArray, s.scalar = r.inArray, c != '{' && c != '['
	for {
		// What is found must not depend on how much was read by chance.
		text := r.rest()[:min(len(r.rest()), r.max+1)]
		line := -1
		if r.strict && !r.inArray {
			if line = bytes.IndexByte(text, '\n'); line >= 0 {
				text = text[:line]
			}
		}
		end, done := s.scan(text)
		if !done && line >= 0 {
			done = true
		}
		switch {
		case done && end <= r.max:
		case done || len(text) > r.max:
			return r.tooLong(&s, end, done), nil
		case r.more():
			continue
		case r.err != nil && !errors.Is(r.err, io.EOF):
			return Payload{}, r.err
		case s.candidate > 0:
			end = s.candidate // it was never closed: the next one begins there
			s.broken = true
		default:
			r.inArray = false // the end of the text, which this payload will be blamed for
		}
		r.afterValue = r.inArray && !s.broken
		return r.payload(end), nil
	}
}

// tooLong passes over a payload that is longer than the limit, of which the
// scanner has seen the bytes up to end.
func (r *Reader) tooLong(s *scanner, end int, done bool) Payload {
	p := r.fault(fmt.Sprintf("a payload longer than %d bytes", r.max))
	p.Problems[len(p.Problems)-1].Keyword = keywordSize
	s.forget = true
	s.level, s.stack = len(s.stack), nil
	for {
		if !done {
			end = wholeRunes(r.rest()[:end])
		}
		r.advance(end)
		s.next -= end
		s.lineStart -= end
		if done || s.next >= len(r.rest()) && !r.more() {
			break
		}
		end, done = s.scan(r.rest())
	}
	if !done {
		r.advance(len(r.rest()))
	}
	r.afterValue = r.inArray && !s.broken
	return p
}

// wholeRunes returns the length of text without a code point that may go on
// after it: half of one would be counted as a column of its own.
func wholeRunes(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if at := len(text) - n; utf8.RuneStart(text[at]) {
			if !utf8.FullRune(text[at:]) {
				return at
			}
			break
		}
	}
	return len(text)
}

// maxNested is how many lines may open a value in the same column, each within
// the one before.
const maxNested = 100

// A scanner finds the end of a value. It can go on when there is more text.
type scanner struct {
	inArray bool
	scalar  bool
	column  int // of the value, which is where a next one may be expected

	next      int // the first byte that was not looked at
	lineStart int // where the line of next begins; negative: before the value
	stack     []byte
	inString  bool
	escaped   bool
	last      byte // last significant byte
	indent    bool // only white space was seen in this line
	broken    bool // this cannot be JSON any more
	candidate int  // where the next value begins if this one is never closed
	depth     int  // of the deepest candidate
	nested    int  // how often one was deeper than those before
	forget    bool // the text before next is gone, and with it the candidates
	level     int  // then: how many values are open
}

// scan looks for the end of the value that text begins with. When it is not
// done it wants to be called again with a longer text.
func (s *scanner) scan(text []byte) (end int, done bool) {
	for i := s.next; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\n':
			if s.inString {
				s.inString, s.broken = false, true
			}
			if s.scalar {
				s.next = i
				return i, true
			}
			s.lineStart, s.indent = i+1, true
			continue
		case s.inString:
			// The loop is for the common case: inside a string nothing
			// counts but its end.
			switch {
			case s.escaped:
				s.escaped = false
			case c == '\\':
				s.escaped = true
			case c == '"':
				s.inString = false
			}
			continue
		case c == ' ' || c == '\t' || c == '\r':
			continue
		}
		if s.scalar {
			if s.inArray && (c == ',' || c == ']') {
				s.next = i
				return i, true
			}
			s.inString = c == '"'
			continue
		}
		if s.indent && (c == '{' || c == '[') && i-s.lineStart == s.column-1 {
			if s.broken || !s.opens() {
				s.broken = true
				s.next = i
				if s.candidate > 0 && !s.forget {
					return s.candidate, true // what looked like a part may be the next one
				}
				return i, true
			}
			if s.candidate == 0 {
				s.candidate = i
			}
			if len(s.stack) > s.depth {
				// Lines that each seem to open a part of the one before
				// are rather lines that were cut off.
				s.depth = len(s.stack)
				if s.nested++; s.nested > maxNested && !s.forget {
					s.broken = true
					s.next = i
					return s.candidate, true
				}
			}
		}
		s.indent = false
		if s.broken {
			continue
		}
		s.last = c
		switch c {
		case '"':
			s.inString = true
		case '{', '[':
			if s.forget {
				s.level++
				continue
			}
			s.stack = append(s.stack, c+2) // what closes it, in ASCII
		case '}', ']':
			if s.forget {
				if s.level--; s.level <= 0 {
					s.next = i + 1
					return i + 1, true
				}
				continue
			}
			if s.stack[len(s.stack)-1] != c {
				s.broken = true
				continue
			}
			if s.stack = s.stack[:len(s.stack)-1]; len(s.stack) == 0 {
				s.next = i + 1
				return i + 1, true
			}
		}
	}
	s.next = len(text)
	return len(text), false
}

// opens reports whether a value may begin after the last significant byte.
func (s *scanner) opens() bool {
	switch s.last {
	case ':', '[':
		return true
	case ',':
		return !s.forget && s.stack[len(s.stack)-1] == ']'
	}
	return false
}
