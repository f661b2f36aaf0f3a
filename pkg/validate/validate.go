// Package validate says which schema of a catalog a payload has to satisfy,
// and judges it by that schema. It also reads payloads from files and streams.
//
// It must not know how results are printed, nor where payloads come from other
// than a reader. What one schema says of one document is the matter of package
// schema.
package validate

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// KeywordEvent is the keyword of a problem with the event type: it is missing,
// not a string, or not in the catalog.
const KeywordEvent = "event"

// Options say how strict a [Checker] is.
type Options struct {
	// Strict makes every warning an error.
	Strict bool

	// AllowUnknown makes an event type that is not in the catalog a warning.
	AllowUnknown bool

	// Event is the name of the type that every payload is judged by; when it
	// is empty, each payload says itself what it is.
	Event string

	// ExpectInvalid turns the question round: a valid payload is the problem.
	ExpectInvalid bool

	// Record recognises payloads that are records of a delivery, of which the
	// body is judged. It is asked with a function that returns a top-level
	// member as it is written, or nil, and says whether this is a record. Nil
	// recognises none. RecordNames are the members that it asks for,
	// RecordBody is the one that mostly has the body, and RecordPrefix is what
	// most records begin with.
	Record       func(get func(name string) []byte) (Record, bool)
	RecordNames  []string
	RecordBody   string
	RecordPrefix string

	// Brief is how many problems of a [Group] have to be emitted by Read; of
	// further ones it may only count those that are quick to find. 0 means
	// all.
	Brief int

	// Idle is called by Read when it has emitted everything that it found and
	// waits for more text.
	Idle func()

	// MaxPayload is the longest payload in a text, in bytes; 0 means
	// [DefaultMaxPayload].
	MaxPayload int
}

// A Record is a payload that wraps another one. The fields mean what they mean in
// package capture.
type Record struct {
	Body   []byte
	Base64 bool
	Skip   bool
	Err    error
}

// A Checker judges payloads by the schemas of a catalog. It compiles a schema
// when the first payload asks for it, and can be used by several goroutines.
type Checker struct {
	catalog *webhook.Catalog
	options Options
	schemas map[*webhook.Type]*lazySchema

	properties []string // that tell types apart, in quotes
	workers    sync.Pool
	slow       bool // for tests: everything is explained
}

type lazySchema struct {
	once   sync.Once
	schema *schema.Schema
	err    error
}

// NewChecker returns a checker for the types of the catalog. It fails when
// options name an event type that is not among them.
func NewChecker(catalog *webhook.Catalog, options Options) (*Checker, error) {
	if options.Event != "" {
		if _, ok := catalog.Lookup(options.Event); !ok {
			return nil, fmt.Errorf("unknown event type %q", options.Event)
		}
	}
	c := &Checker{catalog: catalog, options: options, schemas: map[*webhook.Type]*lazySchema{}}
	for _, t := range catalog.Types() {
		c.schemas[t] = new(lazySchema)
	}
	for _, name := range catalog.Properties() {
		c.properties = append(c.properties, `"`+name+`"`)
	}
	return c, nil
}

func (c *Checker) maxPayload() int {
	if c.options.MaxPayload > 0 {
		return c.options.MaxPayload
	}
	return DefaultMaxPayload
}

// Schema returns the compiled schema of a type of the catalog.
func (c *Checker) Schema(t *webhook.Type) (*schema.Schema, error) {
	lazy := c.schemas[t]
	lazy.once.Do(func() { lazy.schema, lazy.err = schema.Compile(t.SchemaFile, t.Schema) })
	return lazy.schema, lazy.err
}

// A Result is the verdict on one payload.
type Result struct {
	// Event is the name of the event type that the payload was judged by;
	// what it calls itself when the catalog does not have that; or empty.
	Event string

	// Known says that Event is in the catalog.
	Known bool

	// Problems are sorted by position. In the result of [Checker.Check] the
	// positions are in the payload.
	Problems []schema.Problem
}

// Valid reports whether there is no error among the problems.
func (r *Result) Valid() bool {
	for i := range r.Problems {
		if r.Problems[i].Severity == schema.Error {
			return false
		}
	}
	return true
}

// keywordRecord is the keyword of a problem with a record.
const keywordRecord = "record"

// record looks whether text is a record, and returns its result with positions
// in text. A record without a payload has no result.
func (c *Checker) record(d *schema.Document) (r Result, isRecord, judged bool) {
	if c.options.Record == nil || !d.Object() {
		return Result{}, false, false
	}
	members := map[string]schema.Member{}
	rec, ok := c.options.Record(func(name string) []byte {
		m, ok := d.Member(name)
		if !ok {
			return nil
		}
		members[name] = m
		return m.Source
	})
	if !ok || rec.Skip {
		return Result{}, ok, false
	}
	root := d.Root()
	broken := func(err error) (Result, bool, bool) {
		return Result{Problems: []schema.Problem{{Pos: root.Pos, Length: 1, Keyword: keywordRecord, Message: err.Error()}}}, true, true
	}
	if rec.Err != nil {
		return broken(rec.Err)
	}
	body, ok := schema.Unquote(nil, rec.Body)
	if ok && rec.Base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(string(body)); err != nil {
			return broken(fmt.Errorf("the body: %w", err))
		}
	}
	r = c.explain(body)
	source := root.Pos
	for _, m := range members {
		if len(m.Source) > 0 && &m.Source[0] == &rec.Body[0] {
			source = m.Pos
		}
	}
	for i := range r.Problems {
		p := &r.Problems[i]
		if rec.Base64 {
			p.Pos, p.Length = source, len(rec.Body)
			continue
		}
		offset := int(p.Pos.Offset)
		begin := schema.QuotedOffset(rec.Body, offset)
		p.Length = schema.QuotedOffset(rec.Body, offset+p.Length) - begin
		p.Pos = source.After(rec.Body[:begin])
	}
	return r, true, true
}

// Check judges one payload.
func (c *Checker) Check(payload []byte) Result {
	if t := c.clean(payload); t != nil {
		return Result{Event: t.Name, Known: true}
	}
	r := c.explain(payload)
	r.Problems = c.weigh(r.Problems)
	return r
}

// clean asks the fast program: it returns the type of a payload of which there is
// nothing to report, and nil when there may be something.
func (c *Checker) clean(payload []byte) *webhook.Type {
	if c.slow {
		return nil
	}
	w, ok := c.workers.Get().(*worker)
	if !ok {
		w = c.newWorker(new(Tally))
	}
	defer c.workers.Put(w)
	t := w.identify(payload)
	if t == nil || t.acceptor == nil {
		return nil
	}
	end, said := t.acceptor.Accept(payload)
	if said != schema.Clean || len(bytes.TrimLeft(payload[end:], whitespace)) > 0 {
		return nil
	}
	return t.typ
}

// weigh makes of problems what the options want of them.
func (c *Checker) weigh(problems []schema.Problem) []schema.Problem {
	if c.options.Strict {
		for i := range problems {
			problems[i].Severity = schema.Error
		}
	}
	return problems
}

// KeywordExpected is the keyword of the problem with a valid payload where an
// invalid one was wanted.
const KeywordExpected = "expect-invalid"

// settle completes the verdict on a payload of a text.
func (c *Checker) settle(v *Verdict) {
	v.Problems = c.weigh(v.Problems)
	if !c.options.ExpectInvalid {
		return
	}
	if v.Valid() {
		v.Problems = []schema.Problem{{
			Pos: v.Pos, Length: 1, Keyword: KeywordExpected, Message: "the payload is valid, but an invalid one was expected",
		}}
	} else {
		v.Problems = nil
	}
}

func (c *Checker) explain(payload []byte) Result { return c.explainDocument(schema.Parse(payload)) }

func (c *Checker) explainDocument(d *schema.Document) Result {
	t, name, problem := c.identify(d)
	if t == nil {
		r := Result{Event: name, Problems: d.Problems()}
		if problem != nil {
			r.Problems = append(slices.Clip(r.Problems), *problem)
		}
		return r
	}
	s, err := c.Schema(t)
	if err != nil {
		return Result{Event: t.Name, Known: true, Problems: []schema.Problem{{
			Pos: schema.Position{Line: 1, Column: 1}, Keyword: "$schema", Message: err.Error(),
		}}}
	}
	return Result{Event: t.Name, Known: true, Problems: s.ExplainDocument(d)}
}

// identify returns the type of a payload. When there is none it returns what
// the payload calls itself and the problem with that. A text that is not JSON
// has neither.
func (c *Checker) identify(d *schema.Document) (t *webhook.Type, name string, problem *schema.Problem) {
	if c.options.Event != "" {
		t, _ := c.catalog.Lookup(c.options.Event)
		return t, t.Name, nil
	}
	if !d.Valid() {
		return nil, "", nil
	}
	root := d.Root()
	p := &schema.Problem{Pos: root.Pos, Length: 1, Keyword: KeywordEvent}
	if c.options.AllowUnknown {
		p.Severity = schema.Warning
	}
	if !d.Object() {
		p.Severity = schema.Error
		p.Keyword, p.Length = "type", root.Length
		p.Got, p.Want = root.Kind, "object"
		p.Message = "got " + root.Kind + ", want an object: the payload of an event"
		return nil, "", p
	}
	for _, property := range c.catalog.Properties() {
		m, ok := d.Member(property)
		if !ok {
			continue
		}
		p.Pos, p.Length, p.Pointer = m.Pos, m.Length, "/"+property
		if !m.IsString {
			p.Severity = schema.Error
			p.Got, p.Want = m.Kind, "the name of an event type"
			p.Message = "got " + m.Kind + ", want the name of an event type"
			return nil, "", p
		}
		if t, ok := c.catalog.Match(property, m.Value); ok {
			return t, t.Name, nil
		}
		var values []string
		for _, t := range c.catalog.Types() {
			if t.Property == property {
				values = append(values, t.Value)
			}
		}
		p.Got, p.Want = m.Value, strings.Join(values, ", ")
		p.Message = fmt.Sprintf("unknown event type %q", cut(m.Value))
		if near := schema.Nearest(m.Value, values, 3); len(near) > 0 {
			p.Message += "; did you mean " + quoteList(near) + "?"
		}
		return nil, m.Value, p
	}
	if envelope, name, ok := foreignEnvelope(d); ok {
		p.Message = envelope + ", an envelope that the catalog does not hold yet"
		return nil, name, p
	}
	p.Severity = schema.Error
	p.Want = strings.Join(c.catalog.Properties(), " or ")
	p.Message = fmt.Sprintf("no event type: missing property %s", quoteList(c.catalog.Properties()))
	return nil, "", p
}

// foreignEnvelope recognises a payload that is no fault of its sender: the
// envelope of the deliveries that the developer portal shows. Once the catalog
// has a family of them, its types are found before this is asked.
func foreignEnvelope(d *schema.Document) (envelope, event string, ok bool) {
	kind, isTyped := d.Member("type")
	_, hasID := d.Member("request_id")
	_, hasData := d.Member("data")
	if isTyped && kind.IsString && hasID && hasData {
		return "a live JustCall delivery", kind.Value, true
	}
	return "", "", false
}

// maxName is how much of an unknown name a message repeats, in bytes.
const maxName = 60

func cut(s string) string {
	if len(s) > maxName {
		return strings.ToValidUTF8(s[:maxName], "") + "..."
	}
	return s
}

func quoteList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(quoted, " or ")
}

// CheckCatalog reports the first type, in the order of names, whose schema does
// not compile or whose sample is not valid by it. Warnings count for nothing.
func CheckCatalog(catalog *webhook.Catalog) error {
	checker, err := NewChecker(catalog, Options{})
	if err != nil {
		return err
	}
	for _, t := range catalog.Types() {
		s, err := checker.Schema(t)
		if fault, ok := errors.AsType[*schema.CompileError](err); ok {
			return &webhook.LoadError{File: t.SchemaFile, Line: fault.Problem.Pos.Line, Err: fmt.Errorf("not a JSON Schema: %s", at(fault.Problem))}
		} else if err != nil {
			return err
		}
		for _, p := range s.Explain(t.Sample) {
			if p.Severity == schema.Error {
				return &webhook.LoadError{File: t.SampleFile, Line: p.Pos.Line, Err: fmt.Errorf("the sample breaks its schema: %s", at(p))}
			}
		}
	}
	return nil
}

// at returns the message of a problem behind its pointer.
func at(p schema.Problem) string {
	if p.Pointer == "" {
		return p.Message
	}
	return p.Pointer + ": " + p.Message
}
