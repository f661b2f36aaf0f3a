package schema

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// A Severity says what a [Problem] means for the verdict.
type Severity uint8

// An Error makes a payload invalid. A Warning is a difference from the
// reference that a handler can live with.
const (
	Error Severity = iota
	Warning
)

func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Keywords of problems that do not come from a keyword of JSON Schema.
const (
	KeywordSyntax       = "syntax"       // the bytes are not JSON
	KeywordEncoding     = "encoding"     // the bytes are not UTF-8
	KeywordBOM          = "bom"          // a byte order mark stands before the value
	KeywordDuplicate    = "duplicate"    // a key that the object has already
	KeywordNumber       = "number"       // a number that nobody can hold
	KeywordUndocumented = "undocumented" // a property that the schema does not describe
	KeywordAbsent       = "absent"       // a described, optional property is not there
)

// A Position is a place in a text.
type Position struct {
	Offset int64 // in bytes, from 0
	Line   int   // from 1
	Column int   // in code points, from 1
}

// Locate returns the position of the byte at offset in text. An offset beyond
// the text means its end. A byte order mark at the start has no width.
func Locate(text []byte, offset int) Position {
	offset = min(offset, len(text))
	p := Position{Line: 1, Column: 1}
	if rest, ok := bytes.CutPrefix(text[:offset], bom); ok {
		p = p.After(rest)
		p.Offset += int64(len(bom))
		return p
	}
	return p.After(text[:offset])
}

// After returns the position after the text passed, which begins at p.
func (p Position) After(passed []byte) Position {
	p.Offset += int64(len(passed))
	if last := bytes.LastIndexByte(passed, '\n'); last >= 0 {
		p.Line += bytes.Count(passed, []byte{'\n'})
		p.Column = 1
		passed = passed[last+1:]
	}
	p.Column += utf8.RuneCount(passed)
	return p
}

// Shift returns where p is in a text in which the text that p is about begins
// at base.
func (p Position) Shift(base Position) Position {
	if p.Line == 1 {
		p.Column += base.Column - 1
	}
	p.Offset += base.Offset
	p.Line += base.Line - 1
	return p
}

// A Problem is one difference between a document and what was wanted.
type Problem struct {
	// Pos is where the value, or the key, that the problem is about begins.
	Pos Position

	// Length is how many bytes that value or key takes.
	Length int

	// Pointer is the JSON Pointer (RFC 6901) of that value; the empty pointer
	// is the whole document.
	Pointer string

	// Keyword is the keyword of JSON Schema that failed, or one of the
	// Keyword constants.
	Keyword string

	Severity Severity

	// Property is the name of the property that is missing or absent, where
	// that is the problem.
	Property string

	// Got and Want are what was found and what was wanted, where the problem
	// has two such sides.
	Got, Want string

	// Message says it all in one lower-case sentence without a full stop. It
	// may quote the document, control characters escaped.
	Message string
}

func (p Problem) String() string {
	s := fmt.Sprintf("%d:%d: %v: ", p.Pos.Line, p.Pos.Column, p.Severity)
	if p.Pointer != "" {
		s += p.Pointer + ": "
	}
	return s + p.Message
}
