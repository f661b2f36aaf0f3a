package schema

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A Word is what the fast program has to say of a document.
type Word uint8

const (
	// Unsure means: ask [Schema.Explain].
	Unsure Word = iota
	// Clean means that Explain would find nothing.
	Clean
	// Warned means that Explain would find the warnings of
	// [Acceptor.Drifts], and nothing else.
	Warned
)

// A Drift is a warning that the fast program found.
type Drift struct {
	// Key is the same for all drifts of one kind at one place of documents of
	// one schema.
	Key uint64
	// Offset is where it is.
	Offset int

	// Length is how many bytes it takes there.
	Length int

	keyword string
	object  int // the rule of the object that it is in
	opened  int // where that object opens
	key     int // of an absent property
	pointer string
}

// An Acceptor runs the fast program of a schema over documents, in one pass over
// the bytes and without allocating. It learns in which order keys come, and so
// is used by one goroutine at a time.
type Acceptor struct {
	root    *rule
	objects []*objectRule
	next    [][]uint8 // by object: the key that lately followed a key
	text    []byte
	depth   int
	broken  bool // over several lines
	drifts  []Drift
}

const (
	maxDrifts   = 32 // of one document; more are left to Explain
	maxDepth    = 64 // depth of a value that refers to itself
	maxSkip     = 64 // depth of a value that the schema does not describe
	maxSkipKeys = 32 // keys of an object in such a value
	word        = 8  // bytes that are looked at together
)

// NewAcceptor returns an acceptor, or nil when the schema has something that
// the fast program does not handle.
func (s *Schema) NewAcceptor() *Acceptor {
	if s.root == nil {
		return nil
	}
	a := &Acceptor{root: s.root, objects: s.objects, next: make([][]uint8, len(s.objects)), drifts: make([]Drift, 0, maxDrifts)}
	for i := range a.next {
		a.next[i] = make([]uint8, maxKeys+1)
		for j := range a.next[i] {
			a.next[i][j] = uint8(j)
		}
	}
	return a
}

// Accept reports whether Explain would find nothing to report in text, not even
// a warning. False means that it may. It is safe for concurrent use.
func (s *Schema) Accept(text []byte) bool {
	if s.root == nil {
		return false
	}
	a, _ := s.acceptors.Get().(*Acceptor)
	end, said := a.Accept(text)
	s.acceptors.Put(a)
	return said == Clean && len(bytes.TrimLeft(text[end:], " \t\r\n")) == 0
}

// Describe says of a drift of the last document what [Problem] says: its
// keyword, its pointer, with "*" for each element of an array, and the property
// that is absent.
func (a *Acceptor) Describe(d Drift) (keyword, pointer, property string) {
	switch d.keyword {
	case KeywordAbsent:
		o := a.objects[d.object]
		return d.keyword, o.pointer, o.keys[d.key].name
	case KeywordUndocumented:
		return d.keyword, appendToken(a.objects[d.object].pointer, string(a.text[d.Offset+1:d.Offset+d.Length-1])), ""
	}
	return d.keyword, d.pointer, ""
}

// Drifts returns the warnings of the document that was last said to be
// [Warned]. They are good until the next call of Accept.
func (a *Acceptor) Drifts() []Drift { return a.drifts }

// InLine reports whether the last document was written in one line.
func (a *Acceptor) InLine() bool { return !a.broken }

// Accept judges the value that text begins with, after white space, and
// returns where it ends. What follows the value is not looked at. With
// [Unsure] the end says nothing.
func (a *Acceptor) Accept(text []byte) (end int, said Word) {
	a.text = text
	a.drifts = a.drifts[:0]
	a.depth = 0
	a.broken = false
	i := a.value(a.root, skipSpace(text, 0))
	switch {
	case i < 0:
		return 0, Unsure
	case len(a.drifts) > 0:
		return i, Warned
	}
	return i, Clean
}

// skipSpace returns the index of the first byte from i on that is not white
// space.
func skipSpace(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case ' ', '\n', '\r', '\t':
			i++
			continue
		}
		break
	}
	return i
}

// space is skipSpace, and remembers a line end.
func (a *Acceptor) space(i int) int {
	b := a.text
	for i < len(b) {
		switch b[i] {
		case '\n':
			a.broken = true
			fallthrough
		case ' ', '\r', '\t':
			i++
			continue
		}
		break
	}
	return i
}

// value judges the value at i by r and returns the index after it, or -1 for
// unsure. All functions below do the same.
func (a *Acceptor) value(r *rule, i int) int {
	b := a.text
	if uint(i) >= uint(len(b)) {
		return -1
	}
	if r == nil {
		return a.skip(i, 0)
	}
	switch c := b[i]; c {
	case '"':
		if r.types&mayString == 0 {
			return -1
		}
		return a.string(r.text, i+1)
	case '{':
		if r.types&mayObject == 0 {
			return -1
		}
		if a.depth++; a.depth > maxDepth {
			return -1
		}
		i = a.object(r.object, i)
		a.depth--
		return i
	case '[':
		if r.types&mayArray == 0 {
			return -1
		}
		if a.depth++; a.depth > maxDepth {
			return -1
		}
		i = a.array(r.array, i)
		a.depth--
		return i
	case 'n':
		if r.types&mayNull == 0 || !at(b, i, "null") {
			return -1
		}
		return i + len("null")
	case 't':
		if r.types&mayBool == 0 || !at(b, i, "true") {
			return -1
		}
		return i + len("true")
	case 'f':
		if r.types&mayBool == 0 || !at(b, i, "false") {
			return -1
		}
		return i + len("false")
	default:
		return a.number(r, i)
	}
}

func at(b []byte, i int, literal string) bool {
	return len(b)-i >= len(literal) && string(b[i:i+len(literal)]) == literal
}

// maxDigits is how many digits of a number are judged here.
const maxDigits = 18

// number judges a number without an exponent.
func (a *Acceptor) number(r *rule, i int) int {
	b := a.text
	start := i
	if b[i] == '-' {
		i++
	}
	first := i
	n := int64(0)
	for i < len(b) && b[i]-'0' <= 9 {
		n = n*10 + int64(b[i]-'0')
		i++
	}
	digits := i - first
	if digits == 0 || digits > maxDigits || digits > 1 && b[first] == '0' {
		return -1
	}
	if i < len(b) && (b[i] == '.' || b[i] == 'e' || b[i] == 'E') {
		if b[i] != '.' || r.types&mayNumber == 0 || r.number.min != noMinimum || r.number.max != noMaximum {
			return -1
		}
		i++
		fraction := i
		for i < len(b) && b[i]-'0' <= 9 {
			i++
		}
		if i == fraction || i-fraction > maxDigits || i < len(b) && (b[i] == 'e' || b[i] == 'E') {
			return -1
		}
		return i
	}
	if b[start] == '-' {
		n = -n
	}
	if r.types&mayInteger == 0 || n < r.number.min || n > r.number.max {
		return -1
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// specials marks, in the highest bit of each byte, the quotes, backslashes,
// control characters and bytes beyond ASCII of a word. Only the lowest mark
// can be relied on.
func specials(w uint64) uint64 {
	// Taking 1 from a byte that is 0, or ' ' from one that is less, sets its
	// highest bit; so does a byte beyond ASCII, which is wanted too.
	return (((w ^ ones*'"') - ones) | ((w ^ ones*'\\') - ones) | (w - ones*' ') | w) & highs
}

// plain returns the index of the first byte from i on that is a quote, a
// backslash, a control character or not ASCII; or the length of b.
func plain(b []byte, i int) int {
	for len(b)-i >= word {
		if m := specials(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += word
	}
	for i < len(b) {
		if c := b[i]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			break
		}
		i++
	}
	return i
}

// string judges a string whose first byte after the quote is at i.
func (a *Acceptor) string(t *textRule, i int) int {
	b := a.text
	start := i
	ascii, escaped := true, false
	for {
		i = plain(b, i)
		if i >= len(b) {
			return -1
		}
		c := b[i]
		if c == '"' {
			if t == nil || t.simple {
				return i + 1
			}
			if ascii && !escaped {
				if t.notEmpty && i > start || t.onlyPhone && isPhone(b[start:i]) == holds {
					return i + 1
				}
			}
			break
		}
		switch {
		case c == '\\':
			escaped = true
			if i = escape1(b, i); i < 0 {
				return -1
			}
		case c < ' ':
			return -1
		default:
			ascii = false
			r, size := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && size == 1 {
				return -1
			}
			i += size
		}
	}
	if !a.judge(t, start, i, ascii && !escaped, escaped) {
		return -1
	}
	return i + 1
}

// judge judges the text between start and end by t.
func (a *Acceptor) judge(t *textRule, start, end int, counted, escaped bool) bool {
	text := a.text[start:end]
	n := len(text)
	if n < t.min || n > t.max || !counted && (t.min > 1 || t.max != noLimit) {
		return false
	}
	if escaped && (t.oneOf != nil || len(t.checks) > 0 || len(t.formats) > 0) {
		return false
	}
	if t.oneOf != nil {
		found := false
		for _, v := range t.oneOf {
			if bytes.Equal(v, text) {
				found = true
				break
			}
		}
		if !found {
			return false
		}
	}
	for i := range t.checks {
		if t.checks[i].of(text) != holds {
			return false
		}
	}
	for i := range t.formats {
		switch t.formats[i].of(text) {
		case unsure:
			return false
		case fails:
			if !a.drift(Drift{Key: t.formats[i].key, Offset: start - 1, Length: n + 2, keyword: "format", pointer: t.pointer}) {
				return false
			}
		case holds:
		}
	}
	return true
}

func (a *Acceptor) drift(d Drift) bool {
	if len(a.drifts) == maxDrifts {
		return false
	}
	a.drifts = append(a.drifts, d)
	return true
}

// escape1 returns the index after the escape at i, or -1 when it is none or
// makes a lone surrogate.
func escape1(b []byte, i int) int {
	if i+1 >= len(b) {
		return -1
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		u := hex4(b, i+2)
		switch {
		case u < 0 || u >= 0xdc00 && u < 0xe000:
			return -1
		case u >= 0xd800 && u < 0xdc00:
			if !at(b, i+6, `\u`) {
				return -1
			}
			if low := hex4(b, i+8); low < 0xdc00 || low >= 0xe000 {
				return -1
			}
			return i + 12
		}
		return i + 6
	}
	return -1
}

// hex4 returns the value of the four hexadecimal digits at i, or -1.
func hex4(b []byte, i int) int {
	if len(b)-i < 4 {
		return -1
	}
	v := 0
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		v = v<<4 | int(c)
	}
	return v
}

// array judges an array that opens at i.
func (a *Acceptor) array(r *arrayRule, i int) int {
	b := a.text
	i = a.space(i + 1)
	n := 0
	if i < len(b) && b[i] == ']' {
		i++
	} else {
		for {
			if i = a.value(r.item, i); i < 0 {
				return -1
			}
			n++
			i = a.space(i)
			if i >= len(b) || b[i] != ',' {
				break
			}
			i = a.space(i + 1)
		}
		if i >= len(b) || b[i] != ']' {
			return -1
		}
		i++
	}
	if n < r.min || n > r.max {
		return -1
	}
	return i
}

// object judges an object that opens at i.
func (a *Acceptor) object(o *objectRule, i int) int {
	b := a.text
	start := i
	next := a.next[o.id]
	var seen uint64
	unknown := len(a.drifts)
	last := 0 // index of the last key, plus 1
	i = a.space(i + 1)
	if i < len(b) && b[i] == '}' {
		i++
	} else {
		for {
			guess := int(next[last])
			var k *keyRule
			if guess < len(o.keys) {
				k = &o.keys[guess]
				if j := k.match(b, i); j > 0 {
					i = j
				} else {
					k = nil
				}
			}
			if k == nil {
				var found int
				if found, i = a.find(o, i, start, unknown); i < 0 {
					return -1
				}
				if found < 0 { // an undocumented key, whose value was passed over
					goto separator
				}
				guess = found
				k = &o.keys[guess]
				next[last] = uint8(guess) //nolint:gosec // maxKeys fits
			}
			last = guess + 1
			if seen&(1<<guess) != 0 {
				return -1
			}
			seen |= 1 << guess
			if i >= len(b) {
				return -1
			}
			if b[i] <= ' ' {
				i = a.space(i)
			}
			// A string is the most frequent value: it goes without the call.
			if i < len(b) && b[i] == '"' && k.rule != nil && k.rule.types&mayString != 0 {
				i = a.string(k.rule.text, i+1)
			} else {
				i = a.value(k.rule, i)
			}
			if i < 0 {
				return -1
			}
		separator:
			if i < len(b) && b[i] <= ' ' {
				i = a.space(i)
			}
			if i >= len(b) {
				return -1
			}
			c := b[i]
			i++
			if c == ',' {
				if i < len(b) && b[i] <= ' ' {
					i = a.space(i)
				}
				continue
			}
			if c != '}' {
				return -1
			}
			break
		}
	}
	if o.required&^seen != 0 {
		return -1
	}
	for absent := o.optional &^ seen; absent != 0; absent &= absent - 1 {
		key := bits.TrailingZeros64(absent)
		if !a.drift(Drift{Key: driftKey(o.id, key), Offset: start, Length: 1, keyword: KeywordAbsent, object: o.id, key: key}) {
			return -1
		}
	}
	return i
}

// driftKey is the Key of the absence of a described property.
func driftKey(object, key int) uint64 {
	return uint64(object)<<8 | uint64(key)<<1 //nolint:gosec // both are small
}

// match returns the index after the key and its colon when they are at i
// without white space, or 0.
func (k *keyRule) match(b []byte, i int) int {
	if len(b)-i < word*maxWords || k.count == 0 {
		return k.matchSlowly(b, i)
	}
	head := b[i : i+word*maxWords : i+word*maxWords]
	if binary.LittleEndian.Uint64(head)&k.masks[0] != k.words[0] || binary.LittleEndian.Uint64(head[word:])&k.masks[1] != k.words[1] {
		return 0
	}
	if k.count > 2 && (binary.LittleEndian.Uint64(head[2*word:])&k.masks[2] != k.words[2] ||
		binary.LittleEndian.Uint64(head[3*word:])&k.masks[3] != k.words[3]) {
		return 0
	}
	return i + len(k.token)
}

// matchSlowly is match near the end of a text, and for long keys.
func (k *keyRule) matchSlowly(b []byte, i int) int {
	if at(b, i, k.token) {
		return i + len(k.token)
	}
	return 0
}

// find looks for the key at i in the object that opened at start. Of a key that
// it describes it returns the index, and where the text goes on after the
// colon. Any other key is passed over with its value: the index is -1.
func (a *Acceptor) find(o *objectRule, i, start, unknown int) (found, next int) {
	b := a.text
	if i >= len(b) || b[i] != '"' {
		return 0, -1
	}
	begin := i + 1
	end := plain(b, begin)
	if end >= len(b) || b[end] != '"' {
		return 0, -1 // an escape, or worse: the key may be written in another way
	}
	name := b[begin:end]
	i = a.space(end + 1)
	if i >= len(b) || b[i] != ':' {
		return 0, -1
	}
	i = a.space(i + 1)
	if len(o.keys) > 0 {
		if j := o.lookup(b, begin, name); j >= 0 {
			return j, i
		}
	}
	// Two unknown keys that are the same are an error.
	for _, d := range a.drifts[unknown:] {
		if d.keyword == KeywordUndocumented && d.opened == start && bytes.Equal(b[d.Offset+1:d.Offset+d.Length-1], name) {
			return 0, -1
		}
	}
	if o.open {
		return 0, -1
	}
	key := uint64(14695981039346656037) ^ uint64(o.id)<<1 //nolint:gosec // small
	for _, c := range name {
		key = (key ^ uint64(c)) * 1099511628211
	}
	if !a.drift(Drift{Key: key | 1, Offset: begin - 1, Length: len(name) + 2, keyword: KeywordUndocumented, object: o.id, opened: start}) {
		return 0, -1
	}
	return -1, a.skip(i, 0)
}

// lookup returns the index of the key that b has at begin, or -1.
func (o *objectRule) lookup(b []byte, begin int, name []byte) int {
	n := len(name)
	var first, last uint64
	switch {
	case n >= word:
		first = binary.LittleEndian.Uint64(name)
		last = binary.LittleEndian.Uint64(name[n-word:])
	case len(b)-begin >= word:
		first = binary.LittleEndian.Uint64(b[begin:]) & (1<<(8*n) - 1)
		last = first
	default:
		for j, c := range name {
			first |= uint64(c) << (8 * j)
		}
		last = first
	}
	j := int(o.table[keyHash(first, last, n, o.multiplier)>>o.shift]) - 1
	if j < 0 || o.keys[j].name != string(name) {
		return -1
	}
	return j
}

// skip passes over a value that no schema describes. It still has to be JSON,
// and its objects must not have a key twice.
func (a *Acceptor) skip(i, depth int) int {
	b := a.text
	if i >= len(b) || depth >= maxSkip {
		return -1
	}
	switch b[i] {
	case '"':
		return a.string(nil, i+1)
	case 'n':
		if at(b, i, "null") {
			return i + len("null")
		}
		return -1
	case 't':
		if at(b, i, "true") {
			return i + len("true")
		}
		return -1
	case 'f':
		if at(b, i, "false") {
			return i + len("false")
		}
		return -1
	case '[':
		i = a.space(i + 1)
		if i < len(b) && b[i] == ']' {
			return i + 1
		}
		for {
			if i = a.skip(i, depth+1); i < 0 {
				return -1
			}
			i = a.space(i)
			if i >= len(b) || b[i] != ',' {
				break
			}
			i = a.space(i + 1)
		}
		if i >= len(b) || b[i] != ']' {
			return -1
		}
		return i + 1
	case '{':
		return a.skipObject(i, depth)
	}
	return a.number(&anyNumber, i)
}

const (
	noMinimum = -1 << 63
	noMaximum = 1<<63 - 1
	noLimit   = int(^uint(0) >> 1)
)

var anyNumber = rule{types: mayAll, number: &numberRule{min: noMinimum, max: noMaximum}}

func (a *Acceptor) skipObject(i, depth int) int {
	b := a.text
	var keys [maxSkipKeys][2]int
	n := 0
	i = a.space(i + 1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(b) || b[i] != '"' || n == maxSkipKeys {
			return -1
		}
		begin := i + 1
		end := plain(b, begin)
		if end >= len(b) || b[end] != '"' {
			return -1
		}
		for _, k := range keys[:n] {
			if bytes.Equal(b[k[0]:k[1]], b[begin:end]) {
				return -1
			}
		}
		keys[n] = [2]int{begin, end}
		n++
		i = a.space(end + 1)
		if i >= len(b) || b[i] != ':' {
			return -1
		}
		if i = a.skip(a.space(i+1), depth+1); i < 0 {
			return -1
		}
		i = a.space(i)
		if i >= len(b) {
			return -1
		}
		if b[i] == '}' {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
		i = a.space(i + 1)
	}
}

// of asks the test.
func (t *textTest) of(text []byte) truth {
	switch t.kind {
	case phoneTest:
		return isPhone(text)
	case uriTest:
		return isURI(text)
	case emailTest:
		return isEmail(text)
	case dateTimeTest:
		return isDateTime(text)
	case suffixTest:
		return truthOf(bytes.HasSuffix(text, t.suffix))
	case patternTest:
		return truthOf(t.pattern.Match(text))
	case noTest:
	}
	return unsure
}

// formatTest returns the test of a format that warns. Each says yes or no only
// where the authority is known to agree.
func formatTest(f *jsonschema.Format) testKind {
	switch f.Name {
	case phone.Name:
		return phoneTest
	case "uri":
		return uriTest
	case "email":
		return emailTest
	}
	return noTest
}

// isPhone is the pattern e164 by hand.
func isPhone(text []byte) truth {
	const shortest, longest = 8, 16 // with the plus
	if len(text) < shortest || len(text) > longest || text[0] != '+' || text[1] == '0' {
		return fails
	}
	if len(text) > word {
		// The first 8 digits and the last 8, which may be partly the same.
		return truthOf(digits(binary.LittleEndian.Uint64(text[1:])) && digits(binary.LittleEndian.Uint64(text[len(text)-word:])))
	}
	for _, c := range text[1:] {
		if c-'0' > 9 {
			return fails
		}
	}
	return holds
}

// digits reports whether all bytes of a word are decimal digits.
func digits(w uint64) bool {
	const zeros, sixes, upper = ones * '0', ones * 6, ones * 0xf0
	return w&upper == zeros && (w+sixes)&upper == zeros
}

// isURI knows http and https URLs of plain characters. A text without a colon
// is no absolute URL whatever else it is.
func isURI(text []byte) truth {
	rest, ok := bytes.CutPrefix(text, []byte("https://"))
	if !ok {
		if rest, ok = bytes.CutPrefix(text, []byte("http://")); !ok {
			if bytes.IndexByte(text, ':') < 0 {
				return fails
			}
			return unsure
		}
	}
	host := 0
	for host < len(rest) && (uriClass[rest[host]] == inHost) {
		host++
	}
	if host == 0 || host < len(rest) && rest[host] != '/' {
		return unsure
	}
	for _, c := range rest[host:] {
		if uriClass[c] == 0 {
			return unsure
		}
	}
	return holds
}

const (
	inHost = 1
	inPath = 2
)

// uriClass says where in a URL a character may stand without more thought.
var uriClass = func() (class [256]uint8) {
	for c := range class {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '.', c == '-':
			class[c] = inHost
		case c == '/', c == '_', c == '~', c == '=', c == '&', c == '+', c == ',', c == '?':
			class[c] = inPath
		}
	}
	return class
}()

// isEmail knows addresses of plain characters.
func isEmail(text []byte) truth {
	const longest = 64
	i := bytes.IndexByte(text, '@')
	switch {
	case i < 0:
		return fails
	case i == 0 || len(text) > longest:
		return unsure
	}
	word := false // the last character was a letter or digit
	for j, c := range text {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			word = true
		case (c == '.' || c == '-' || c == '_' && j < i || j == i) && word:
			word = false
		default:
			return unsure
		}
	}
	if !word {
		return unsure
	}
	return holds
}

// isDateTime knows instants in UTC that have no leap second.
func isDateTime(text []byte) truth {
	const layout = "2006-01-02T15:04:05Z"
	if len(text) < len(layout) || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' {
		return unsure
	}
	year, ok1 := two(text, 2)
	century, ok0 := two(text, 0)
	month, ok2 := two(text, 5)
	day, ok3 := two(text, 8)
	hour, ok4 := two(text, 11)
	minute, ok5 := two(text, 14)
	second, ok6 := two(text, 17)
	if !(ok0 && ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return unsure
	}
	if day > 28 && day > daysIn(century*100+year, month) {
		return fails
	}
	rest := text[19:]
	if rest[0] == '.' {
		n := 1
		for n < len(rest) && rest[n]-'0' <= 9 {
			n++
		}
		if n == 1 {
			return unsure
		}
		rest = rest[n:]
	}
	if len(rest) != 1 || rest[0] != 'Z' {
		return unsure
	}
	return holds
}

func two(text []byte, i int) (n int, ok bool) {
	a, b := text[i]-'0', text[i+1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}
