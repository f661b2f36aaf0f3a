package schema

import (
	"encoding/binary"
	"math/big"
	"math/bits"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A rule is what the fast program knows of one place of a document. It is made
// of the same shape that drift is measured by.
type rule struct {
	types  uint8 // of mayNull ...
	text   *textRule
	number *numberRule
	object *objectRule
	array  *arrayRule
}

const (
	mayNull uint8 = 1 << iota
	mayBool
	mayInteger
	mayNumber // one with a fraction too
	mayString
	mayArray
	mayObject
	mayAll = mayNull | mayBool | mayInteger | mayNumber | mayString | mayArray | mayObject
)

var typeBits = map[string]uint8{
	"null": mayNull, "boolean": mayBool, "integer": mayInteger, "number": mayInteger | mayNumber,
	"string": mayString, "array": mayArray, "object": mayObject,
}

// A textRule judges the bytes of a string between its quotes. Only those of a
// string without escapes are judged.
type textRule struct {
	min, max int        // in bytes, where code points need not be counted
	oneOf    [][]byte   // empty: anything
	checks   []textTest // keywords that fail
	formats  []textTest // formats that warn
	simple   bool       // anything will do
	// The two most frequent rules go without [Acceptor.judge].
	notEmpty  bool   // only a minimum of 1
	onlyPhone bool   // a phone number, and at most that minimum
	pointer   string // to the string
}

// A textTest says of text that a keyword holds, that it does not, or that it
// is not sure.
type textTest struct {
	kind    testKind
	key     uint64 // of the drift, for a format
	suffix  []byte
	pattern *regexp.Regexp
}

type testKind uint8

const (
	noTest testKind = iota // always unsure
	phoneTest
	uriTest
	emailTest
	dateTimeTest
	suffixTest
	patternTest
)

type truth uint8

const (
	unsure truth = iota
	holds
	fails
)

type numberRule struct {
	min, max int64 // both ends belong to it
}

type arrayRule struct {
	min, max int
	item     *rule // nil: anything
}

// maxKeys is how many properties of an object the program can tell apart: one
// bit each.
const maxKeys = 64

type objectRule struct {
	id       int    // of the object in the program
	pointer  string // to the object
	keys     []keyRule
	required uint64 // bits of keys
	optional uint64 // keys whose absence is drift
	open     bool   // of other properties the program has nothing to say
	// table finds the index of a key, plus 1, by a hash that is free of
	// collisions.
	table      []uint8
	multiplier uint64
	shift      uint
}

type keyRule struct {
	name  string
	token string // the key as most texts have it: with quotes and colon
	words [maxWords]uint64
	masks [maxWords]uint64
	count int // of words; 0 when the token is too long for them
	rule  *rule
}

// maxWords is how many words of 8 bytes a key is compared by.
const maxWords = 4

// A builder makes rules of shapes. It gives up at the first keyword that the
// program does not handle.
type builder struct {
	open    map[*shape]bool // whose rules are being made
	objects []*objectRule
	path    []string // of the place; "*" is any element of an array
	formats uint64
	failed  bool
}

// formatKey tells the key of a format's drift from that of an absent property.
const formatKey = 1 << 32

// maxObjects bounds a program.
const maxObjects = 1000

// program returns the rule for whole documents, and those of all objects in it,
// each for one place of a document; or nil when the schema has
// something that the program does not handle. It goes by the compiled schema, in
// which the authority has resolved references, anchors and drafts.
func (sh *shape) program() (*rule, []*objectRule) {
	b := &builder{open: map[*shape]bool{}}
	r := b.rule(sh)
	if b.failed {
		return nil, nil
	}
	return r, b.objects
}

// rule makes the rule of a place; nil stands for a place that may hold
// anything.
func (b *builder) rule(sh *shape) *rule {
	if sh == nil || b.failed {
		return nil
	}
	if b.open[sh] || len(b.objects) > maxObjects {
		b.failed = true // it refers to itself, or it is huge
		return nil
	}
	b.open[sh] = true
	defer delete(b.open, sh)
	r := &rule{types: mayAll}
	if len(sh.possible) > 0 || len(sh.first) > 0 || len(sh.patterns) > 0 || len(sh.described) > maxKeys {
		b.failed = true
		return nil
	}
	text := textRule{max: noLimit}
	number := numberRule{min: noMinimum, max: noMaximum}
	array := arrayRule{max: noLimit}
	for _, sch := range sh.certain {
		if !handled(sch) {
			b.failed = true
			return nil
		}
		b.narrow(r, sch, &text, &number, &array)
		if sch.AdditionalProperties == false && slices.ContainsFunc(sh.described, func(name string) bool { return sch.Properties[name] == nil }) {
			b.failed = true // it rules out what another schema of this place describes
			return nil
		}
	}
	for _, f := range sh.formats {
		b.formats++
		text.formats = append(text.formats, textTest{kind: formatTest(f), key: formatKey | b.formats<<1})
		text.pointer = pointerOf(b.path)
	}
	bare := text.max == noLimit && text.oneOf == nil && len(text.checks) == 0 && text.min <= 1
	text.notEmpty = bare && len(text.formats) == 0
	text.onlyPhone = bare && len(text.formats) == 1 && text.formats[0].kind == phoneTest
	text.simple = text.min == 0 && text.max == noLimit && text.oneOf == nil && len(text.checks)+len(text.formats) == 0
	r.text, r.number = &text, &number
	array.item = b.at("*", sh.rest)
	r.array = &array
	r.object = b.object(sh)
	return r
}

// at makes the rule of a place one step further in.
func (b *builder) at(token string, sh *shape) *rule {
	b.path = append(b.path, token)
	defer func() { b.path = b.path[:len(b.path)-1] }()
	return b.rule(sh)
}

// handled reports whether the program knows every keyword of sch.
func handled(sch *jsonschema.Schema) bool {
	return (sch.Bool == nil || *sch.Bool) &&
		sch.RecursiveRef == nil && sch.DynamicRef == nil &&
		sch.Not == nil && len(sch.AnyOf) == 0 && len(sch.OneOf) == 0 && sch.If == nil && sch.Then == nil && sch.Else == nil &&
		sch.MaxProperties == nil && sch.MinProperties == nil && sch.PropertyNames == nil && len(sch.PatternProperties) == 0 &&
		len(sch.Dependencies) == 0 && len(sch.DependentRequired) == 0 && len(sch.DependentSchemas) == 0 &&
		sch.UnevaluatedProperties == nil && sch.UnevaluatedItems == nil &&
		!sch.UniqueItems && sch.Contains == nil && sch.AdditionalItems == nil && len(sch.PrefixItems) == 0 &&
		sch.ContentEncoding == nil && sch.ContentMediaType == nil && sch.ContentSchema == nil &&
		sch.MultipleOf == nil && len(sch.Extensions) == 0
}

// narrow adds what sch wants to the rule.
func (b *builder) narrow(r *rule, sch *jsonschema.Schema, text *textRule, number *numberRule, array *arrayRule) {
	if sch.Types != nil {
		var types uint8
		for _, name := range sch.Types.ToStrings() {
			types |= typeBits[name]
		}
		r.types &= types
	}
	var values []any
	if sch.Const != nil {
		values = []any{*sch.Const}
	}
	if sch.Enum != nil {
		values = sch.Enum.Values
		if sch.Const != nil {
			b.failed = true
		}
	}
	if values != nil {
		b.values(r, values, text)
	}
	if sch.MinLength != nil {
		text.min = max(text.min, *sch.MinLength)
	}
	if sch.MaxLength != nil {
		text.max = min(text.max, *sch.MaxLength)
	}
	if sch.Pattern != nil {
		text.checks = append(text.checks, testOf(sch.Pattern.String()))
	}
	if sch.Format != nil { // the asserted one: see survey
		text.checks = append(text.checks, textTest{kind: dateTimeTest})
	}
	if sch.Minimum != nil {
		number.min = max(number.min, b.bound(sch.Minimum, 0, +1))
	}
	if sch.ExclusiveMinimum != nil {
		number.min = max(number.min, b.bound(sch.ExclusiveMinimum, 1, +1))
	}
	if sch.Maximum != nil {
		number.max = min(number.max, b.bound(sch.Maximum, 0, -1))
	}
	if sch.ExclusiveMaximum != nil {
		number.max = min(number.max, b.bound(sch.ExclusiveMaximum, 1, -1))
	}
	if sch.MinItems != nil {
		array.min = max(array.min, *sch.MinItems)
	}
	if sch.MaxItems != nil {
		array.max = min(array.max, *sch.MaxItems)
	}
	switch sch.AdditionalProperties.(type) {
	case nil, bool:
	default:
		b.failed = true
	}
	if _, ok := sch.Items.([]*jsonschema.Schema); ok {
		b.failed = true
	}
}

// values narrows the rule to strings that are listed. Other values are left to
// the authority.
func (b *builder) values(r *rule, values []any, text *textRule) {
	if text.oneOf != nil {
		b.failed = true // two lists: their intersection is nobody's need
		return
	}
	var types uint8
	text.oneOf = [][]byte{}
	for _, v := range values {
		switch v := v.(type) {
		case string:
			types |= mayString
			text.oneOf = append(text.oneOf, []byte(v))
		case nil:
			types |= mayNull
		default:
			b.failed = true
		}
	}
	r.types &= types
}

// bound returns the outermost integer that keeps to a limit: by whole numbers
// further in, which for a minimum is up (+1) and for a maximum down (-1).
func (b *builder) bound(limit *big.Rat, by, inward int64) int64 {
	const far = 1 << 53 // beyond it, nothing is gained by being exact here
	if !limit.IsInt() || !limit.Num().IsInt64() || limit.Num().Int64() > far || limit.Num().Int64() < -far {
		b.failed = true
		return 0
	}
	return limit.Num().Int64() + by*inward
}

// object makes the rule of an object.
func (b *builder) object(sh *shape) *objectRule {
	o := &objectRule{id: len(b.objects), pointer: pointerOf(b.path), open: sh.open}
	b.objects = append(b.objects, o)
	for i, name := range sh.described {
		k := keyRule{name: name, rule: b.at(name, sh.properties[name])}
		if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r >= 0x7f }) || name == "" {
			b.failed = true // such a key can be written in several ways
			return nil
		}
		k.token = `"` + name + `":`
		if len(k.token) <= 8*maxWords {
			k.count = (len(k.token) + 7) / 8
			for j := range len(k.token) {
				k.words[j/8] |= uint64(k.token[j]) << (8 * (j % 8))
				k.masks[j/8] |= 0xff << (8 * (j % 8))
			}
		}
		if sh.required[name] {
			o.required |= 1 << i
		}
		if slices.Contains(sh.optional, name) {
			o.optional |= 1 << i
		}
		o.keys = append(o.keys, k)
	}
	// What is required and not described is beyond the program's bits.
	for name := range sh.required {
		if _, ok := sh.properties[name]; !ok {
			b.failed = true
		}
	}
	if !o.hash() {
		b.failed = true
	}
	return o
}

// keyHash mixes the first and the last bytes of a key with its length.
func keyHash(first, last uint64, length int, multiplier uint64) uint64 {
	return (first ^ bits.RotateLeft64(last, 29) ^ uint64(length)) * multiplier //nolint:gosec // a length is not negative
}

// hash looks for a multiplier with which no two keys share a place in the
// table.
func (o *objectRule) hash() bool {
	const attempts = 1000
	size := 4
	for size < 4*len(o.keys) {
		size *= 2
	}
	for range 4 {
		o.shift = 64 - log2(size)
		multiplier := uint64(0x9e3779b97f4a7c15)
		for range attempts {
			o.table = make([]uint8, size)
			o.multiplier = multiplier
			if o.fill() {
				return true
			}
			multiplier = multiplier*6364136223846793005 + 1442695040888963407
			multiplier |= 1
		}
		size *= 2
	}
	return false
}

func (o *objectRule) fill() bool {
	for i, k := range o.keys {
		text := k.name + `"       ` // what follows a short key is masked
		first := binary.LittleEndian.Uint64([]byte(text[:8]))
		var last uint64
		if len(k.name) >= 8 {
			last = binary.LittleEndian.Uint64([]byte(k.name[len(k.name)-8:]))
		} else {
			first &= 1<<(8*len(k.name)) - 1
			last = first
		}
		at := keyHash(first, last, len(k.name), o.multiplier) >> o.shift
		if o.table[at] != 0 {
			return false
		}
		o.table[at] = uint8(i + 1)
	}
	return true
}

func log2(n int) uint {
	var k uint
	for n > 1 {
		n >>= 1
		k++
	}
	return k
}

// testOf returns the test of a pattern. One that only looks for a text at the end
// needs no regular expression.
func testOf(pattern string) textTest {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return textTest{}
	}
	if parsed, err := syntax.Parse(pattern, syntax.Perl); err == nil && parsed.Op == syntax.OpConcat && len(parsed.Sub) == 2 &&
		parsed.Sub[0].Op == syntax.OpLiteral && parsed.Sub[0].Flags&syntax.FoldCase == 0 && parsed.Sub[1].Op == syntax.OpEndText {
		return textTest{kind: suffixTest, suffix: []byte(string(parsed.Sub[0].Rune))}
	}
	return textTest{kind: patternTest, pattern: re}
}

func truthOf(b bool) truth {
	if b {
		return holds
	}
	return fails
}
