// Package signature makes and checks the signature of JustCall's webhooks,
// version v1, as the page "Dynamic webhook signatures" of its developer portal
// describes it.
//
// It depends on the standard library only, and must not know of catalogs,
// servers or printing. The body is no part of the signed message: a valid
// signature says who sent a request, and not that its body is unaltered.
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The header fields of a delivery, in canonical form.
const (
	HeaderSignature = "X-Justcall-Signature"
	HeaderVersion   = "X-Justcall-Signature-Version"
	HeaderTimestamp = "X-Justcall-Request-Timestamp"
)

// Version is the only version that there is.
const Version = "v1"

// TimeFormat is how the timestamp header is written, always in UTC.
const TimeFormat = "2006-01-02 15:04:05"

// DefaultTolerance is how far a timestamp may be from the present before a
// [Verifier] refuses it. JustCall documents no limit.
const DefaultTolerance = 5 * time.Minute

// Sign returns the signature of a delivery, in lower-case hexadecimal: the
// HMAC-SHA256 of secret, the encoded URL, the event type and the timestamp
// header, with bars between them, under the key secret. The URL is the one that
// is registered with JustCall, to the byte.
func Sign(secret, webhookURL, event, timestamp string) string {
	return hex.EncodeToString(sum(secret, secret+"|"+EncodeURIComponent(webhookURL)+"|"+event+"|"+timestamp))
}

func sum(key, message string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(message))
	return mac.Sum(nil)
}

// Timestamp writes a time as the timestamp header has it.
func Timestamp(t time.Time) string { return t.UTC().Format(TimeFormat) }

// Headers returns the three header fields of a delivery that is signed at the
// given time.
func Headers(secret, webhookURL, event string, now time.Time) map[string]string {
	timestamp := Timestamp(now)
	return map[string]string{
		HeaderSignature: Sign(secret, webhookURL, event, timestamp),
		HeaderVersion:   Version,
		HeaderTimestamp: timestamp,
	}
}

// IsHeader reports whether a header field, in canonical form, is one of the
// signature.
func IsHeader(name string) bool {
	return name == HeaderSignature || name == HeaderVersion || name == HeaderTimestamp
}

// EncodeURIComponent is the function of that name in ECMAScript: it leaves
// A-Z a-z 0-9 - _ . ! ~ * ' ( ) and writes every other byte as %XX in upper
// case. The escapes of package net/url differ from it.
func EncodeURIComponent(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-_.!~*'()", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

// A Reason says in one word what was found about a signature.
type Reason string

// Valid is the only good one. Unverifiable means that the verifier lacks what it
// needs; all others are faults of the request.
const (
	Valid        Reason = "valid"
	Unverifiable Reason = "unverifiable"
	Missing      Reason = "missing"   // a header field is not there
	Versioned    Reason = "version"   // of another version
	Malformed    Reason = "malformed" // a header field cannot be read
	Stale        Reason = "stale"     // signed at another time than now
	Mismatch     Reason = "mismatch"  // not the signature of this delivery
)

// A Miss is what a signature that does not match would be right for.
type Miss string

// The misses that a [Verifier] looks for.
const (
	NoMiss       Miss = ""
	MissBody     Miss = "body"      // an HMAC of the body
	MissURL      Miss = "url"       // another spelling of the URL
	MissNoSecret Miss = "no-secret" // the message without the secret before it
	MissRawURL   Miss = "raw-url"   // the URL not encoded, or encoded by another function
	MissEvent    Miss = "event"     // no event type in the message
	MissBase64   Miss = "base64"    // the right bytes, in base64
	MissCase     Miss = "case"      // the right digits, in upper case
	MissKey      Miss = "key"       // the API key where the secret belongs
	MissSecret   Miss = "secret"    // white space or quotes around the secret
)

// A Result is what a [Verifier] found. It never holds the signature that was
// expected, nor the secret.
type Result struct {
	Reason Reason

	// Field is the header field that is missing or cannot be read.
	Field string

	// Skew is how far the timestamp is from the present: positive when the
	// request seems to come from the past.
	Skew time.Duration

	// Near is what a mismatch would match, and URL the spelling of the URL
	// with which it does, where that is it.
	Near Miss
	URL  string
}

// A Verifier checks deliveries to one URL.
type Verifier struct {
	// Secret is the API secret, and Key the API key, which is no part of a
	// signature but is taken for the secret now and then; it may be empty.
	Secret, Key string

	// URL is the URL that is registered with JustCall, exactly. It must
	// not be taken from the request.
	URL string

	// Tolerance is how far a timestamp may be from the present; 0 means
	// [DefaultTolerance], and less than 0 that any will do.
	Tolerance time.Duration

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Verify checks the header of a delivery of the given event type. The body only
// helps to say what went wrong.
func (v *Verifier) Verify(header map[string][]string, event string, body []byte) Result {
	get := func(name string) string {
		if values := header[name]; len(values) > 0 {
			return values[0]
		}
		return ""
	}
	for _, name := range []string{HeaderSignature, HeaderVersion, HeaderTimestamp} {
		if get(name) == "" {
			return Result{Reason: Missing, Field: name}
		}
	}
	if get(HeaderVersion) != Version {
		return Result{Reason: Versioned, Field: HeaderVersion}
	}
	timestamp := get(HeaderTimestamp)
	at, err := time.Parse(TimeFormat, timestamp)
	if err != nil {
		return Result{Reason: Malformed, Field: HeaderTimestamp}
	}
	if v.Secret == "" || v.URL == "" {
		return Result{Reason: Unverifiable}
	}
	now := time.Now
	if v.Now != nil {
		now = v.Now
	}
	r := Result{Skew: now().Sub(at)}
	got := get(HeaderSignature)
	if !equal(got, Sign(v.Secret, v.URL, event, timestamp)) {
		r.Reason = Mismatch
		r.Near, r.URL = v.nearest(got, event, timestamp, body)
		return r
	}
	tolerance := v.Tolerance
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	if tolerance > 0 && r.Skew.Abs() > tolerance {
		r.Reason = Stale
		return r
	}
	r.Reason = Valid
	return r
}

// equal compares signatures in a time that does not depend on where they
// differ. Only their length may show.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// nearest looks for a common mistake that the signature would be right with.
func (v *Verifier) nearest(got, event, timestamp string, body []byte) (miss Miss, spelling string) {
	hexSum := func(key, message string) string { return hex.EncodeToString(sum(key, message)) }
	tail := "|" + event + "|" + timestamp
	encoded := EncodeURIComponent(v.URL)
	right := sum(v.Secret, v.Secret+"|"+encoded+tail)
	type try struct {
		miss Miss
		want string
	}
	tries := []try{
		{MissCase, strings.ToUpper(hex.EncodeToString(right))},
		{MissBase64, base64.StdEncoding.EncodeToString(right)},
		{MissBody, hexSum(v.Secret, string(body))},
		{MissBody, base64.StdEncoding.EncodeToString(sum(v.Secret, string(body)))},
		{MissNoSecret, hexSum(v.Secret, encoded+tail)},
		{MissRawURL, hexSum(v.Secret, v.Secret+"|"+v.URL+tail)},
		{MissRawURL, hexSum(v.Secret, v.Secret+"|"+url.QueryEscape(v.URL)+tail)},
		{MissRawURL, hexSum(v.Secret, v.Secret+"|"+url.PathEscape(v.URL)+tail)},
		{MissEvent, hexSum(v.Secret, v.Secret+"|"+encoded+"||"+timestamp)},
		{MissEvent, hexSum(v.Secret, v.Secret+"|"+encoded+"|"+timestamp)},
	}
	if v.Key != "" {
		tries = append(tries, try{MissKey, Sign(v.Key, v.URL, event, timestamp)})
	}
	for _, other := range []string{strings.Trim(v.Secret, " \t\r\n\"'"), v.Secret + " ", v.Secret + "\n", v.Secret + "\r\n", `"` + v.Secret + `"`, "'" + v.Secret + "'"} {
		tries = append(tries, try{MissSecret, Sign(other, v.URL, event, timestamp)})
	}
	for _, t := range tries {
		if equal(got, t.want) {
			return t.miss, ""
		}
	}
	for _, other := range spellings(v.URL) {
		if equal(got, Sign(v.Secret, other, event, timestamp)) {
			return MissURL, other
		}
	}
	return NoMiss, ""
}

// spellings returns other ways to write a URL that people take for the same:
// with and without a last slash, by http and https, decoded and encoded, without
// a query, a default port, or capitals in the host.
func spellings(s string) []string {
	all := []string{s}
	add := func(change func(string) string) {
		for _, known := range slices.Clip(all) {
			if changed := change(known); changed != known {
				all = append(all, changed)
			}
		}
	}
	swap := func(from, to string) func(string) string {
		return func(s string) string {
			if rest, ok := strings.CutPrefix(s, from); ok {
				return to + rest
			}
			return s
		}
	}
	onPath := func(change func(string) string) func(string) string {
		return func(s string) string {
			path, query, has := strings.Cut(s, "?")
			if path = change(path); has {
				path += "?" + query
			}
			return path
		}
	}
	add(onPath(func(p string) string {
		if trimmed, ok := strings.CutSuffix(p, "/"); ok {
			return trimmed
		}
		return p + "/"
	}))
	add(swap("http://", "https://"))
	add(swap("https://", "http://"))
	add(func(s string) string { return strings.Replace(s, "://localhost", "://127.0.0.1", 1) })
	add(func(s string) string { return strings.Replace(s, "://127.0.0.1", "://localhost", 1) })
	add(func(s string) string {
		if decoded, err := url.PathUnescape(s); err == nil {
			return decoded
		}
		return s
	})
	add(func(s string) string {
		if u, err := url.Parse(s); err == nil {
			return u.String()
		}
		return s
	})
	add(func(s string) string {
		without, _, _ := strings.Cut(s, "?")
		return without
	})
	add(func(s string) string {
		u, err := url.Parse(s)
		if err != nil {
			return s
		}
		u.Host = strings.ToLower(u.Host)
		if u.Scheme == "https" {
			u.Host = strings.TrimSuffix(u.Host, ":443")
		} else {
			u.Host = strings.TrimSuffix(u.Host, ":80")
		}
		return u.String()
	})
	return all[1:]
}
