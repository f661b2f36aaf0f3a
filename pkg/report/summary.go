package report

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// What a summary shows of a payload.
const (
	maxPairs   = 12
	maxValue   = 60 // columns of one value
	maxSummary = 160
)

// Summary returns what is worth reading of a payload, in its own order: the
// fields of the first object in it that are not objects or arrays themselves, nor
// empty, each with its name in words. The payload must be valid JSON; of anything
// else there is no summary.
func Summary(body []byte) [][2]string {
	if !gjson.ValidBytes(body) {
		return nil
	}
	root := gjson.ParseBytes(body)
	if !root.IsObject() {
		return nil
	}
	inner := root
	root.ForEach(func(_, value gjson.Result) bool {
		if value.IsObject() {
			inner = value
			return false
		}
		return true
	})
	var pairs [][2]string
	inner.ForEach(func(key, value gjson.Result) bool {
		if value.IsObject() || value.IsArray() || value.Type == gjson.Null || value.String() == "" {
			return true
		}
		pairs = append(pairs, [2]string{words(key.String()), Excerpt([]byte(value.String()), maxSummary)})
		return len(pairs) < maxPairs
	})
	return pairs
}

// words makes a name such as ring_duration readable.
func words(name string) string {
	name = Excerpt([]byte(strings.ReplaceAll(name, "_", " ")), maxValue)
	if name == "" {
		return name
	}
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(first)) + name[size:]
}

// SummaryLine is [Summary] in one line: the values, without the opaque ids, and
// with the name before a number.
func SummaryLine(body []byte) string {
	var parts []string
	for _, pair := range Summary(body) {
		name, value := pair[0], pair[1]
		if strings.HasSuffix(name, " id") {
			continue
		}
		if strings.Trim(value, "0123456789.") == "" || value == "true" || value == "false" {
			value = strings.ToLower(name) + " " + value
		}
		parts = append(parts, truncate(value, maxValue))
	}
	return truncate(strings.Join(parts, "  "), maxSummary)
}
