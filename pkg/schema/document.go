package schema

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxNumberLength is how long a number may be written, in bytes. Comparing
// numbers takes time that grows faster than their length.
const maxNumberLength = 1000

// ByteOrderMark is U+FEFF at the start of a text, which some editors write.
const ByteOrderMark = "\ufeff"

var bom = []byte(ByteOrderMark)

// BOMProblem is the warning of a byte order mark at pos.
func BOMProblem(pos Position) Problem {
	return Problem{
		Pos: pos, Length: len(ByteOrderMark), Keyword: KeywordBOM, Severity: Warning, Message: "a byte order mark before the value",
	}
}

// A Document is a text that was read as one JSON value, with the place of
// every part.
type Document struct {
	text     []byte
	root     *node
	value    any // as the validator wants it
	problems []Problem
	titles   map[string]string // of the schema that it is judged by
}

// A node is one value of a document.
type node struct {
	kind       jsontext.Kind
	start, end int // of the value
	key        string
	keyStart   int // of the key that names it, in an object
	keyEnd     int
	children   []*node // in the order of the text, duplicates included
	hidden     bool    // a later member of the object has the same key
	index      map[string]*node
}

// Parse reads text as one JSON value: RFC 8259 in UTF-8, no deeper than
// 10,000 levels, without lone surrogates. A byte order mark before it is
// warned of. When the text is not JSON, the document has no value, and its
// [Document.Problems] say where it went wrong.
func Parse(text []byte) *Document {
	d := &Document{text: text}
	p := parser{doc: d, base: 0}
	if rest, ok := bytes.CutPrefix(text, bom); ok {
		d.problems = append(d.problems, BOMProblem(Position{0, 1, 1}))
		p.base = len(text) - len(rest)
	}
	if what := OtherEncoding(text); what != "" {
		d.problems = append(d.problems, Problem{
			Pos: Position{0, 1, 1}, Length: 1, Keyword: KeywordEncoding,
			Got: what, Want: "UTF-8", Message: "got " + what + ", want UTF-8",
		})
		return d
	}
	p.run()
	d.problems = d.finish(d.problems)
	return d
}

// OtherEncoding returns the name of the Unicode encoding that a text seems to be
// in when that is not UTF-8, and else an empty string. JSON begins
// with two ASCII characters, or is one digit.
func OtherEncoding(text []byte) string {
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe\x00\x00")), bytes.HasPrefix(text, []byte("\x00\x00\xfe\xff")):
		return "UTF-32"
	case bytes.HasPrefix(text, []byte("\xff\xfe")), len(text) >= 4 && text[0] != 0 && text[1] == 0 && text[2] != 0 && text[3] == 0:
		return "UTF-16 (little-endian)"
	case bytes.HasPrefix(text, []byte("\xfe\xff")), len(text) >= 4 && text[0] == 0 && text[1] != 0 && text[2] == 0 && text[3] != 0:
		return "UTF-16 (big-endian)"
	}
	return ""
}

// Valid reports whether the text is JSON.
func (d *Document) Valid() bool { return d.root != nil }

// Problems returns what is wrong with the text as JSON.
func (d *Document) Problems() []Problem { return d.problems }

// A Member is a top-level member of a document.
type Member struct {
	Name     string
	IsString bool
	Value    string // the value, when it is a string
	Kind     string // what the value is, as JSON Schema names types
	// Pos and Length are where the value is.
	Pos    Position
	Length int
	Source []byte // the value to the byte
}

// Object reports whether the document is a JSON object.
func (d *Document) Object() bool { return d.root != nil && d.root.kind == '{' }

// Root describes the value as a whole.
func (d *Document) Root() Member { return d.member(d.root, d.value) }

// Member returns the top-level member of that name. Of duplicates it is the
// last, which is the one that most readers see.
func (d *Document) Member(name string) (Member, bool) {
	if !d.Object() {
		return Member{}, false
	}
	obj, _ := d.value.(map[string]any)
	if n := d.root.child(name); n != nil {
		return d.member(n, obj[name]), true
	}
	return Member{}, false
}

func (d *Document) member(n *node, value any) Member {
	m := Member{
		Name: n.key, Kind: d.typeName(n), Source: d.text[n.start:n.end],
		Pos: Locate(d.text, n.start), Length: n.end - n.start,
	}
	m.Value, m.IsString = value.(string)
	return m
}

// find returns the node at the end of path, or the last one on the way to it.
func (d *Document) find(path []string) *node {
	n := d.root
	for _, token := range path {
		child := n.child(token)
		if child == nil {
			return n
		}
		n = child
	}
	return n
}

func (n *node) child(token string) *node {
	if n.kind == '[' {
		if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(n.children) {
			return n.children[i]
		}
		return nil
	}
	if n.index == nil {
		n.index = make(map[string]*node, len(n.children))
		for _, child := range n.children {
			n.index[child.key] = child
		}
	}
	return n.index[token]
}

// typeName returns the name that JSON Schema has for the type of the value.
func (d *Document) typeName(n *node) string {
	switch n.kind {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case '0':
		if bytes.ContainsAny(d.text[n.start:n.end], ".eE") {
			return "number"
		}
		return "integer"
	case 't', 'f':
		return "boolean"
	}
	return "null"
}

// describe says what a value is, with the value where it is short: string
// "42", integer 7, null, object.
func (d *Document) describe(n *node) string {
	name := d.typeName(n)
	switch n.kind {
	case '"', '0', 't', 'f':
		return name + " " + excerpt(d.text[n.start:n.end])
	}
	return name
}

// maxExcerpt is how much of a value a message quotes, in bytes.
const maxExcerpt = 60

// excerpt returns source, which is a JSON scalar, cut to a length that can be
// read in a line.
func excerpt(source []byte) string {
	if len(source) <= maxExcerpt {
		return string(source)
	}
	cut := maxExcerpt
	for !utf8.RuneStart(source[cut]) {
		cut--
	}
	s := string(source[:cut]) + "..."
	if source[0] == '"' {
		s += `"`
	}
	return s
}

// appendToken appends one reference token to a JSON Pointer.
func appendToken(pointer, token string) string {
	return pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
}

func pointerOf(path []string) string {
	pointer := ""
	for _, token := range path {
		pointer = appendToken(pointer, token)
	}
	return pointer
}

// problem returns an error at the value n. Only its offset is known; finish
// adds line and column.
func (d *Document) problem(n *node, pointer, keyword string) Problem {
	return Problem{Pos: Position{Offset: int64(n.start)}, Length: n.end - n.start, Pointer: pointer, Keyword: keyword}
}

// keyProblem returns an error at the key of n, a member of an object.
func (d *Document) keyProblem(n *node, pointer, keyword string) Problem {
	return Problem{Pos: Position{Offset: int64(n.keyStart)}, Length: n.keyEnd - n.keyStart, Pointer: pointer, Keyword: keyword}
}

// maxProblems is how many problems of one document are kept. A hostile one can
// have millions.
const maxProblems = 10_000

func (d *Document) add(p Problem) {
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, p)
	}
}

// finish sorts problems by position and adds lines and columns.
func (d *Document) finish(problems []Problem) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Pos.Offset, b.Pos.Offset),
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Pointer, b.Pointer),
			cmp.Compare(a.Message, b.Message),
		)
	})
	if len(problems) > maxProblems {
		problems = problems[:maxProblems]
	}
	at, last := 0, Position{Line: 1, Column: 1}
	for i := range problems {
		offset := int(problems[i].Pos.Offset)
		if at == 0 {
			last = Locate(d.text, offset)
		} else {
			last = last.After(d.text[at:offset])
		}
		at = offset
		problems[i].Pos = last
	}
	return problems
}

// A parser makes the nodes of one document.
type parser struct {
	doc  *Document
	base int // where the decoder's text begins in the document's
	dec  *jsontext.Decoder
	path []string
}

var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

func (p *parser) run() {
	dec, _ := decoders.Get().(*jsontext.Decoder)
	defer decoders.Put(dec)
	dec.Reset(bytes.NewBuffer(p.doc.text[p.base:]), jsontext.AllowDuplicateNames(true))
	p.dec = dec
	root, value, err := p.value()
	next := p.skip()
	if err == nil {
		if _, err = dec.ReadToken(); err == nil {
			p.doc.add(Problem{Pos: Position{Offset: int64(next)}, Length: 1, Keyword: KeywordSyntax, Message: "more text after the value"})
			return
		} else if errors.Is(err, io.EOF) {
			p.doc.root, p.doc.value = root, value
			return
		}
	}
	p.fail(err)
}

// fail adds the problem for an error of the decoder.
func (p *parser) fail(err error) {
	d := p.doc
	offset := len(d.text)
	problem := Problem{Length: 1, Keyword: KeywordSyntax}
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntactic):
		offset = p.base + int(syntactic.ByteOffset)
		problem.Pointer = string(syntactic.JSONPointer)
		problem.Message = syntactic.Err.Error()
		if errors.Is(syntactic.Err, io.ErrUnexpectedEOF) {
			offset = len(d.text)
			problem.Message = "unexpected end of JSON"
		}
	case errors.Is(err, io.EOF) && len(bytes.TrimSpace(d.text[p.base:])) == 0:
		problem.Message = "the text is empty, want JSON"
	case errors.Is(err, io.EOF):
		problem.Message = "unexpected end of JSON"
	default:
		offset = p.base + int(p.dec.InputOffset())
		problem.Message = err.Error()
	}
	if offset < len(d.text) {
		rest := bytes.TrimLeft(d.text[offset+1:], " \t\r\n")
		switch {
		case problem.Message == "invalid UTF-8":
			problem.Keyword = KeywordEncoding
			problem.Message = fmt.Sprintf("invalid UTF-8 (byte 0x%02x)", d.text[offset])
		case d.text[offset] == ',' && len(rest) > 0 && (rest[0] == '}' || rest[0] == ']'):
			problem.Message = fmt.Sprintf("a comma before '%c'", rest[0])
		case problem.Message == "exceeded max depth":
			problem.Message = "nested deeper than 10,000 levels"
			problem.Pointer = ""
		}
	}
	problem.Pos.Offset = int64(offset)
	d.problems = append(d.problems, problem)
}

// value reads the next value.
func (p *parser) value() (*node, any, error) {
	start := p.skip()
	tok, err := p.dec.ReadToken()
	if err != nil {
		return nil, nil, err
	}
	n := &node{kind: tok.Kind(), start: start, end: p.offset()}
	switch n.kind {
	case 'n':
		return n, nil, nil
	case 't', 'f':
		return n, n.kind == 't', nil
	case '"':
		return n, tok.String(), nil
	case '0':
		return n, p.number(n), nil
	case '[':
		return p.array(n)
	case '{':
		return p.object(n)
	}
	return nil, nil, fmt.Errorf("unexpected %v", n.kind)
}

func (p *parser) array(n *node) (*node, any, error) {
	values := []any{}
	for p.dec.PeekKind() != ']' {
		p.path = append(p.path, strconv.Itoa(len(values)))
		child, value, err := p.value()
		if err != nil {
			return nil, nil, err
		}
		p.path = p.path[:len(p.path)-1]
		n.children = append(n.children, child)
		values = append(values, value)
	}
	return p.closed(n, values)
}

func (p *parser) object(n *node) (*node, any, error) {
	values := map[string]any{}
	duplicates := false
	for p.dec.PeekKind() != '}' {
		keyStart := p.skip()
		tok, err := p.dec.ReadToken()
		if err != nil {
			return nil, nil, err
		}
		key, keyEnd := tok.String(), p.offset()
		_, duplicate := values[key]
		p.path = append(p.path, key)
		child, value, err := p.value()
		if err != nil {
			return nil, nil, err
		}
		child.key, child.keyStart, child.keyEnd = key, keyStart, keyEnd
		duplicates = duplicates || duplicate
		if duplicate && len(p.doc.problems) < maxProblems {
			problem := p.doc.keyProblem(child, pointerOf(p.path), KeywordDuplicate)
			problem.Message = "duplicate key " + quote(key)
			p.doc.add(problem)
		}
		p.path = p.path[:len(p.path)-1]
		n.children = append(n.children, child)
		values[key] = value
	}
	if duplicates {
		for _, child := range n.children {
			child.hidden = n.child(child.key) != child
		}
	}
	return p.closed(n, values)
}

// closed reads the end of an array or object.
func (p *parser) closed(n *node, value any) (*node, any, error) {
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, nil, err
	}
	n.end = p.offset()
	return n, value, nil
}

// number returns the number of n as the validator wants it. One that a 64-bit
// float cannot hold is a problem: few readers would see the same number.
func (p *parser) number(n *node) json.Number {
	source := p.doc.text[n.start:n.end]
	message := ""
	if len(source) > maxNumberLength {
		message = fmt.Sprintf("a number of %d characters, want at most %d", len(source), maxNumberLength)
	} else if f, err := strconv.ParseFloat(string(source), 64); err != nil || math.IsInf(f, 0) {
		message = fmt.Sprintf("the number %s is beyond the range of a 64-bit float", excerpt(source))
	} else if f == 0 && bytes.ContainsAny(source, "eE") {
		// It may be a tiny number whose exponent would take gigabytes.
		return "0"
	}
	if message != "" {
		problem := p.doc.problem(n, pointerOf(p.path), KeywordNumber)
		problem.Message = message
		p.doc.add(problem)
		return "0"
	}
	return json.Number(source)
}

func (p *parser) offset() int { return p.base + int(p.dec.InputOffset()) }

// skip returns where the next token begins.
func (p *parser) skip() int {
	i := p.offset()
	for i < len(p.doc.text) && strings.IndexByte(" \t\r\n,:", p.doc.text[i]) >= 0 {
		i++
	}
	return i
}

// quote quotes s for a message.
func quote(s string) string {
	if len(s) > maxExcerpt {
		return excerpt([]byte(strconv.Quote(s)))
	}
	return strconv.Quote(s)
}
