// Package schema judges one document against one JSON Schema, and says where
// in the text each problem is.
//
// It must not know of webhooks, events, files or captures: a document is a
// slice of bytes, a schema another one. The authority on JSON Schema is
// github.com/santhosh-tekuri/jsonschema; this package adds what that one does
// not see: positions, duplicate keys, and drift, which is how a document
// differs from what the schema describes without breaking it.
package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// A Schema is a compiled JSON Schema. It can be used by several goroutines.
type Schema struct {
	compiled *jsonschema.Schema
	shape    *shape

	// The fast program, where there is one.
	root      *rule
	objects   []*objectRule
	acceptors sync.Pool
}

// A CompileError says why a text is not a JSON Schema.
type CompileError struct {
	Name    string  // as given to Compile
	Problem Problem // where, in the text of the schema
}

func (e *CompileError) Error() string { return e.Name + ":" + e.Problem.String() }

// Compile reads source as a JSON Schema: draft 2020-12 unless its $schema says
// otherwise. It must be whole: a $ref leads to another part of it or to a
// metaschema, never to a file or the network. Of the formats only date-time is
// asserted; the others are drift. An error is a *[CompileError] under the
// given name.
func Compile(name string, source []byte) (*Schema, error) {
	doc := Parse(source)
	for _, p := range doc.problems {
		if p.Severity == Error {
			return nil, &CompileError{name, p}
		}
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.RegisterFormat(&phone)
	compiler.UseLoader(closedLoader{})
	if err := compiler.AddResource(resource, doc.value); err != nil {
		return nil, doc.compileError(name, err)
	}
	compiled, err := compiler.Compile(resource)
	if err != nil {
		return nil, doc.compileError(name, err)
	}
	if at := cycle(compiled); at != nil {
		_, location, _ := strings.Cut(at.Location, "#")
		problem := doc.problem(doc.find(strings.Split(location, "/")[1:]), location, "$ref")
		problem.Message = "it refers to itself without end"
		return nil, &CompileError{name, doc.finish([]Problem{problem})[0]}
	}
	s := &shaper{shapes: map[string]*shape{}, formats: map[*jsonschema.Schema]*jsonschema.Format{}, titles: map[string]string{}}
	s.survey(compiled, map[*jsonschema.Schema]bool{})
	sch := &Schema{compiled: compiled, shape: s.shape([]*jsonschema.Schema{compiled}, nil)}
	sch.root, sch.objects = sch.shape.program()
	sch.acceptors.New = func() any { return sch.NewAcceptor() }
	return sch, nil
}

// cycle returns a schema below sch that applies to a value whenever it applies to
// that same value, or nil. It would never end to judge by it.
func cycle(sch *jsonschema.Schema) *jsonschema.Schema {
	const entered, left = 1, 2
	state := map[*jsonschema.Schema]int{}
	var inPlace func(sch *jsonschema.Schema) *jsonschema.Schema
	inPlace = func(sch *jsonschema.Schema) *jsonschema.Schema {
		if sch == nil || state[sch] == left {
			return nil
		}
		if state[sch] == entered {
			return sch
		}
		state[sch] = entered
		for _, s := range slices.Concat([]*jsonschema.Schema{sch.Ref, sch.Not, sch.If, sch.Then, sch.Else}, sch.AllOf, sch.AnyOf, sch.OneOf) {
			if found := inPlace(s); found != nil {
				return found
			}
		}
		state[sch] = left
		return nil
	}
	seen := map[*jsonschema.Schema]bool{}
	var below func(sch *jsonschema.Schema) *jsonschema.Schema
	below = func(sch *jsonschema.Schema) *jsonschema.Schema {
		if seen[sch] {
			return nil
		}
		seen[sch] = true
		if found := inPlace(sch); found != nil {
			return found
		}
		for _, s := range subschemas(sch) {
			if found := below(s); found != nil {
				return found
			}
		}
		return nil
	}
	return below(sch)
}

// resource is the URL that a schema is compiled under; no message shows it.
const resource = "https://schema.invalid/"

// closedLoader is a loader that finds nothing.
type closedLoader struct{}

var errOutside = errors.New("it is outside this schema")

func (closedLoader) Load(string) (any, error) { return nil, errOutside }

// compileError turns an error of the compiler into one with a place.
func (d *Document) compileError(name string, err error) error {
	problem := Problem{Pos: Position{0, 1, 1}, Keyword: "$schema", Message: strings.ReplaceAll(err.Error(), resource, "")}
	var invalid *jsonschema.SchemaValidationError
	var validation *jsonschema.ValidationError
	var load *jsonschema.LoadURLError
	var pointer *jsonschema.JSONPointerNotFoundError
	switch {
	case errors.As(err, &invalid) && errors.As(invalid.Err, &validation):
		if problems := d.finish(d.leaves(validation, nil)); len(problems) > 0 {
			problem = problems[0]
		}
	case errors.As(err, &load):
		problem.Keyword = "$ref"
		d.atReference(&problem, strings.TrimPrefix(load.URL, resource))
		problem.Message = fmt.Sprintf("cannot load %s: %v", quote(strings.TrimPrefix(load.URL, resource)), load.Err)
	case errors.As(err, &pointer):
		problem.Keyword = "$ref"
		d.atReference(&problem, strings.TrimPrefix(pointer.URL, resource))
		problem.Message = fmt.Sprintf("nothing is at %s", quote(strings.TrimPrefix(pointer.URL, resource)))
	}
	return &CompileError{name, problem}
}

// atReference moves a problem to the first $ref that is the given one.
func (d *Document) atReference(p *Problem, reference string) {
	var walk func(n *node) bool
	walk = func(n *node) bool {
		if text, ok := Unquote(nil, d.text[n.start:n.end]); ok && n.key == "$ref" && string(text) == reference {
			p.Pos, p.Length = Locate(d.text, n.start), n.end-n.start
			return true
		}
		return slices.ContainsFunc(n.children, walk)
	}
	walk(d.root)
}

// Explain judges a text and returns all problems, sorted by position: what
// [Parse] finds, the keywords that fail, and the drift. It is nil when there
// is nothing to report.
func (s *Schema) Explain(text []byte) []Problem { return s.ExplainDocument(Parse(text)) }

// ExplainDocument is Explain for a text that has been read already.
func (s *Schema) ExplainDocument(d *Document) []Problem {
	problems := d.problems
	if d.root == nil {
		return problems
	}
	d.titles = s.shape.shaper.titles
	found := false
	problems = slices.Clip(problems)
	if err := s.compiled.Validate(d.value); err != nil {
		if validation, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
			problems = d.leaves(validation, problems)
		} else {
			p := d.problem(d.root, "", "$schema")
			p.Message = err.Error()
			problems = append(problems, p)
		}
		found = true
	}
	before := len(problems)
	problems = s.shape.drift(d, d.root, d.value, nil, problems)
	if !found && len(problems) == before {
		return problems
	}
	return d.finish(problems)
}

// leaves appends a problem for each leaf of the tree of errors.
func (d *Document) leaves(err *jsonschema.ValidationError, problems []Problem) []Problem {
	switch err.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		if len(err.Causes) > 0 {
			return d.alternatives(err, problems)
		}
	case *kind.PropertyNames, *kind.Contains, *kind.MinContains:
		// The causes of the first speak of the name as if it were a
		// document; those of the others of elements that need not match.
		return append(problems, d.explain(err)...)
	}
	if len(err.Causes) == 0 {
		return append(problems, d.explain(err)...)
	}
	for _, cause := range err.Causes {
		problems = d.leaves(cause, problems)
	}
	return problems
}

// alternatives appends the problems of an anyOf or oneOf of which no branch
// holds. Where each branch wants another type, that is one problem; else the
// branch that the value is nearest to speaks for all: the one with the fewest
// problems among those that do not fail at the value itself.
func (d *Document) alternatives(err *jsonschema.ValidationError, problems []Problem) []Problem {
	var want []string
	var best []Problem
	bestFar := false
	for _, cause := range err.Causes {
		var leaves []Problem
		leaves = d.leaves(cause, leaves)
		far := true
		for _, l := range leaves {
			if int(l.Pos.Offset) == d.find(err.InstanceLocation).start && (l.Keyword == "type" || l.Keyword == "const" || l.Keyword == "enum") {
				far = false
			}
		}
		if len(leaves) == 1 && leaves[0].Keyword == "type" && !far {
			want = append(want, leaves[0].Want)
		}
		if best == nil || far && !bestFar || far == bestFar && len(leaves) < len(best) {
			best, bestFar = leaves, far
		}
	}
	if len(want) == len(err.Causes) {
		n := d.find(err.InstanceLocation)
		p := d.problem(n, pointerOf(err.InstanceLocation), "type")
		p.Got, p.Want = d.describe(n), Alternatives(want)
		p.Message = "got " + p.Got + ", want " + p.Want
		return append(problems, p)
	}
	return append(problems, best...)
}

// Title returns the title of the schema.
func (s *Schema) Title() string { return s.compiled.Title }
