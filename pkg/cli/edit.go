package cli

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
)

// An assignment is one --set: a place in a payload and the JSON to put there.
type assignment struct {
	path []string
	raw  string
}

// parseAssignment reads PATH=VALUE. A path is a JSON Pointer, or names with
// dots between them, where a backslash takes the meaning from a dot or an equals
// sign. A value that is JSON is taken as it is, unless asString is set; any
// other is a string.
func parseAssignment(text string, asString bool) (assignment, error) {
	path, value, ok := cutUnescaped(text, '=')
	if !ok {
		return assignment{}, fmt.Errorf("%q has no equals sign, want PATH=VALUE", text)
	}
	s := assignment{raw: strings.TrimSpace(value)}
	switch {
	case path == "" || path == "/":
		return assignment{}, fmt.Errorf("%q has no path, want PATH=VALUE", text)
	case strings.HasPrefix(path, "/"):
		for token := range strings.SplitSeq(path[1:], "/") {
			s.path = append(s.path, strings.NewReplacer("~1", "/", "~0", "~").Replace(token))
		}
	default:
		for rest, more := path, true; more; {
			var name string
			name, rest, more = cutUnescaped(rest, '.')
			s.path = append(s.path, unescape(name))
		}
	}
	if slices.Contains(s.path, "") {
		return assignment{}, fmt.Errorf("%q has an empty name in its path", text)
	}
	if asString || !json.Valid([]byte(value)) {
		quoted, err := report.Marshal(strings.ToValidUTF8(value, "\ufffd"))
		if err != nil {
			return assignment{}, err
		}
		s.raw = string(quoted)
	}
	return s, nil
}

// cutUnescaped cuts s at the first separator without a backslash before it.
func cutUnescaped(s string, separator byte) (before, after string, found bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case separator:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// sjsonPath writes a path for the packages gjson and sjson.
func sjsonPath(path []string) string {
	escaped := make([]string, len(path))
	for i, name := range path {
		escaped[i] = gjson.Escape(name)
	}
	return strings.Join(escaped, ".")
}

// dotted writes a path as --set takes it.
func dotted(path []string) string {
	escaped := make([]string, len(path))
	for i, name := range path {
		escaped[i] = strings.NewReplacer(`\`, `\\`, ".", `\.`, "=", `\=`).Replace(name)
	}
	return strings.Join(escaped, ".")
}

// matches reports whether the path leads to a value of the payload or to one of
// the fields, or to a place in an array or object that either has.
func (s assignment) matches(payload []byte, known []schema.Field) bool {
	if gjson.GetBytes(payload, sjsonPath(s.path)).Exists() {
		return true
	}
	parent, name := s.path[:len(s.path)-1], s.path[len(s.path)-1]
	if list := gjson.GetBytes(payload, sjsonPath(parent)); len(parent) > 0 && list.IsArray() {
		i, err := strconv.Atoi(name)
		return err == nil && i >= 0 && i <= len(list.Array()) // an element, or the next one
	}
	return slices.ContainsFunc(known, func(f schema.Field) bool { return slices.Equal(f.Path, s.path) })
}

// nearest returns the paths that may have been meant.
func (s assignment) nearest(payload []byte, known []schema.Field) []string {
	var paths []string
	for _, f := range known {
		paths = append(paths, dotted(f.Path))
	}
	if len(known) == 0 {
		paths = pathsOf("", gjson.ParseBytes(payload))
	}
	near := schema.Nearest(dotted(s.path), paths, 3)
	// A name without what it belongs to is a common slip.
	for _, path := range paths {
		if strings.HasSuffix(path, "."+s.path[len(s.path)-1]) && !slices.Contains(near, path) {
			near = append(near, path)
		}
	}
	if len(near) == 0 {
		return paths
	}
	return near
}

func pathsOf(prefix string, v gjson.Result) (paths []string) {
	if !v.IsObject() || len(prefix) > maxPathLength {
		return nil
	}
	v.ForEach(func(key, value gjson.Result) bool {
		path := prefix + dotted([]string{key.String()})
		paths = append(append(paths, path), pathsOf(path+".", value)...)
		return true
	})
	return paths
}

const maxPathLength = 100

// apply puts the value into the payload and leaves all other bytes as they are.
func (s assignment) apply(payload []byte) ([]byte, error) {
	for i := range s.path[1:] {
		if on := gjson.GetBytes(payload, sjsonPath(s.path[:i+1])); on.Exists() && !on.IsObject() && !on.IsArray() {
			return nil, fmt.Errorf("set %s: %s is not an object or array", dotted(s.path), dotted(s.path[:i+1]))
		}
	}
	changed, err := sjson.SetRawBytes(slices.Clone(payload), sjsonPath(s.path), []byte(s.raw))
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", dotted(s.path), err)
	}
	if !json.Valid(changed) {
		return nil, fmt.Errorf("set %s: no such place in the payload", dotted(s.path))
	}
	return changed, nil
}

// A refresher gives payloads new identities. It remembers them, so that what
// was one call in the samples is one call afterwards.
type refresher struct {
	now func() time.Time
	ids map[string]string // the JSON of an old id to that of the new one
}

func newRefresher(now func() time.Time) *refresher {
	return &refresher{now: now, ids: map[string]string{}}
}

// timestampFormat is how the vendor writes a timestamp.
const timestampFormat = "2006-01-02T15:04:05Z"

// refresh gives the payload new ids in the shape of the old ones, and the
// present time. Ids are the required fields that are named for one; a time
// within the payload keeps its distance from that of the event.
func (r *refresher) refresh(payload []byte, known []schema.Field) ([]byte, error) {
	var shift time.Duration
	shifted := false
	for _, f := range known {
		old := gjson.GetBytes(payload, sjsonPath(f.Path))
		if !old.Exists() {
			continue
		}
		var raw string
		switch {
		case f.Format == "date-time":
			t, err := time.Parse(time.RFC3339, old.String())
			if err != nil {
				continue
			}
			if !shifted { // fields come in the order of the payload: the event's own time is first
				shift, shifted = r.now().Truncate(time.Second).Sub(t), true
			}
			raw = strconv.Quote(t.Add(shift).UTC().Format(timestampFormat))
		case isID(f):
			var err error
			if raw, err = r.id(old); err != nil {
				return nil, err
			}
		default:
			continue
		}
		var err error
		if payload, err = (assignment{path: f.Path, raw: raw}).apply(payload); err != nil {
			return nil, err
		}
	}
	return payload, nil
}

// isID reports whether a field identifies what the event is about.
func isID(f schema.Field) bool {
	name := f.Path[len(f.Path)-1]
	return f.Required && (name == "id" || strings.HasSuffix(name, "_id"))
}

// id returns the new id for an old one: each digit after the prefix, which ends
// with the last underscore, becomes another digit, and each letter a letter.
func (r *refresher) id(old gjson.Result) (string, error) {
	if known, ok := r.ids[old.Raw]; ok {
		return known, nil
	}
	text := []byte(old.String())
	start := bytes.LastIndexByte(text, '_') + 1
	number := old.Type == gjson.Number
	for range 100 { // a new id may by chance be the old one
		for i := start; i < len(text); i++ {
			var first byte
			var n int64
			switch c := text[i]; {
			case number && i == start && c >= '0' && c <= '9':
				first, n = '1', 9
			case c >= '0' && c <= '9':
				first, n = '0', 10
			case c >= 'a' && c <= 'z':
				first, n = 'a', 26
			case c >= 'A' && c <= 'Z':
				first, n = 'A', 26
			default:
				continue
			}
			d, err := rand.Int(rand.Reader, big.NewInt(n))
			if err != nil {
				return "", err
			}
			text[i] = first + byte(d.Int64()) //nolint:gosec // below 26
		}
		raw := string(text)
		if !number {
			raw = strconv.Quote(raw)
		}
		if raw != old.Raw {
			r.ids[old.Raw] = raw
			return raw, nil
		}
	}
	return "", errors.New("no new id could be made of " + old.Raw)
}
