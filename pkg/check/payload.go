package check

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/signature"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// A subject is an event type with the fields of its schema.
type subject struct {
	typ    *webhook.Type
	fields []schema.Field
}

// subjects compiles the schemas of the catalog.
func subjects(catalog *webhook.Catalog) ([]*subject, error) {
	checker, err := validate.NewChecker(catalog, validate.Options{})
	if err != nil {
		return nil, err
	}
	var all []*subject
	for _, t := range catalog.Types() {
		s, err := checker.Schema(t)
		if err != nil {
			return nil, err
		}
		all = append(all, &subject{t, s.Fields()})
	}
	return all, nil
}

// optional returns the fields that a payload may lack; of an object that may be
// absent, not what is in it.
func (t *subject) optional() []schema.Field {
	return slices.DeleteFunc(slices.Clone(t.fields), func(f schema.Field) bool { return f.Required || !t.has(f) })
}

// nullable returns the fields that may be null.
func (t *subject) nullable() []schema.Field {
	return slices.DeleteFunc(slices.Clone(t.fields), func(f schema.Field) bool { return !f.Nullable })
}

// texts returns the fields that people write: strings of no format that may be
// absent. The required ones are ids and words from a list.
func (t *subject) texts() []schema.Field {
	return slices.DeleteFunc(t.optional(), func(f schema.Field) bool {
		return f.Format != "" || !slices.Equal(f.Types, []string{"string"})
	})
}

// ids returns the fields by which a receiver knows what the event is about.
func (t *subject) ids() []schema.Field {
	return slices.DeleteFunc(slices.Clone(t.fields), func(f schema.Field) bool {
		name := f.Path[len(f.Path)-1]
		return !f.Required || !t.has(f) || name != "id" && !strings.HasSuffix(name, "_id")
	})
}

// objects returns the paths of the objects in the sample, the sample itself first.
func (t *subject) objects() [][]string {
	paths := [][]string{nil}
	for _, f := range t.fields {
		if gjson.GetBytes(t.typ.Sample, place(f.Path)).IsObject() {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// has reports whether the sample has the field.
func (t *subject) has(f schema.Field) bool {
	return gjson.GetBytes(t.typ.Sample, place(f.Path)).Exists()
}

// place writes a path for the packages gjson and sjson.
func place(names []string) string {
	escaped := make([]string, len(names))
	for i, name := range names {
		escaped[i] = gjson.Escape(name)
	}
	return strings.Join(escaped, ".")
}

// rawAt returns what is at a path, as it is written.
func rawAt(payload []byte, names []string) string { return gjson.GetBytes(payload, place(names)).Raw }

// set puts raw JSON at a path. A payload that has no such place stays as it is.
func set(payload []byte, names []string, raw string) []byte {
	changed, err := sjson.SetRawBytes(slices.Clone(payload), place(names), []byte(raw))
	if err != nil {
		return payload
	}
	return changed
}

// without takes what is at a path away.
func without(payload []byte, names []string) []byte {
	changed, err := sjson.DeleteBytes(slices.Clone(payload), place(names))
	if err != nil {
		return payload
	}
	return changed
}

// quote writes a string as JSON.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return `""`
	}
	return strings.TrimSpace(b.String())
}

// fresh returns the sample with new ids and the present time.
func (s *Suite) fresh(t *subject) []byte { return s.freshAt(t, s.options.Now()) }

// freshAt is fresh at another time.
func (s *Suite) freshAt(t *subject, now time.Time) []byte {
	payload := t.typ.Sample
	for _, f := range t.ids() {
		payload = set(payload, f.Path, s.newID(gjson.GetBytes(payload, place(f.Path))))
	}
	for _, f := range t.fields {
		if f.Format == "date-time" && t.has(f) {
			payload = set(payload, f.Path, strconv.Quote(now.UTC().Format(timeFormat)))
		}
	}
	return payload
}

// timeFormat is how the vendor writes a time.
const timeFormat = "2006-01-02T15:04:05Z"

// newID returns an id in the shape of an old one, as JSON: each digit after the
// prefix, which ends with the last underscore, becomes a digit, and each letter a
// letter.
func (s *Suite) newID(old gjson.Result) string {
	text := []byte(old.String())
	number := old.Type == gjson.Number
	one := func(first byte, n int) byte { return first + byte(s.chance.IntN(n)) } //nolint:gosec // n is 26 at the most
	start := bytes.LastIndexByte(text, '_') + 1
	for i := start; i < len(text); i++ {
		switch c := text[i]; {
		case number && i == start && c >= '0' && c <= '9':
			text[i] = one('1', 9)
		case c >= '0' && c <= '9':
			text[i] = one('0', 10)
		case c >= 'a' && c <= 'z':
			text[i] = one('a', 26)
		case c >= 'A' && c <= 'Z':
			text[i] = one('A', 26)
		}
	}
	if number {
		return string(text)
	}
	return quote(string(text))
}

// A delivery is one that is to be made. Its header is made when it is sent: a
// signature has a time.
type delivery struct {
	what   string // for people
	method string // empty for POST
	event  string // what it calls itself, for the signature
	body   []byte
	sign   func(event string, now time.Time) map[string]string // nil for no signature
	header map[string][]string
}

// event returns a delivery of a payload of a type.
func (s *Suite) event(t *subject, what string, body []byte) delivery {
	return delivery{what: what, event: t.typ.Value, body: body, sign: s.sign}
}

// raw returns a delivery of a body that need not be the payload of an event, and
// is signed for the first type.
func (s *Suite) raw(what string, body []byte) delivery {
	return delivery{what: what, event: s.types[0].typ.Value, body: body, sign: s.sign}
}

// sign makes the header fields of a good signature, where there is a secret.
func (s *Suite) sign(event string, now time.Time) map[string]string {
	if s.options.Secret == "" {
		return nil
	}
	return signature.Headers(s.options.Secret, s.options.Registered, event, now)
}

// request returns what goes over the wire.
func (d delivery) request(s *Suite) *webhook.Delivery {
	header := map[string][]string{}
	maps.Copy(header, s.options.Header)
	if d.sign != nil {
		for name, value := range d.sign(d.event, s.options.Now()) {
			header[name] = []string{value}
		}
	}
	maps.Copy(header, d.header)
	return &webhook.Delivery{Method: d.method, URL: s.options.URL, Header: header, Body: d.body}
}
