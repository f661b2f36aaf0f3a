package report

import (
	"fmt"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/signature"
)

// Signature says in words what was found about a signature. It never holds the
// signature that was expected.
func Signature(r *signature.Result) string {
	switch r.Reason {
	case signature.Valid:
		return "the signature is valid"
	case signature.Unverifiable:
		return "the signature cannot be verified: the registered URL is part of what is signed (name it with --url)"
	case signature.Missing:
		return "no signature: the header " + r.Field + " is missing"
	case signature.Versioned:
		return "a signature of another version: want " + signature.Version + " in " + r.Field
	case signature.Malformed:
		return "the header " + r.Field + " cannot be read: want YYYY-MM-DD HH:MM:SS, in UTC"
	case signature.Stale:
		return "the signature is right, but " + skew(r.Skew)
	case signature.Mismatch:
	}
	text := "the signature does not match"
	switch r.Near {
	case signature.MissBody:
		text += ": it is an HMAC of the body, and the body is no part of what JustCall signs"
	case signature.MissURL:
		text += ": it would, for the URL " + Excerpt([]byte(r.URL), maxURL)
	case signature.MissNoSecret:
		text += ": it lacks the secret at the beginning of the message"
	case signature.MissRawURL:
		text += ": its URL is not encoded as encodeURIComponent does"
	case signature.MissEvent:
		text += ": it lacks the event type in the message"
	case signature.MissBase64:
		text += ": it is right, but in base64 and not in hexadecimal"
	case signature.MissCase:
		text += ": it is right, but in upper case"
	case signature.MissSecret:
		text += ": one side has white space or quotes around the secret"
	case signature.MissKey:
		text += ": it was made with the API key where the API secret belongs"
	case signature.NoMiss:
		text += ": another secret, another URL, or another sender"
		if r.Skew.Abs() > signature.DefaultTolerance {
			text += "; and " + skew(r.Skew)
		}
	}
	return text
}

// skew says how far a timestamp is from now.
func skew(d time.Duration) string {
	if d < 0 {
		return fmt.Sprintf("its timestamp is %s ahead: are both clocks right, and is it in UTC?", Duration(-d))
	}
	return fmt.Sprintf("its timestamp is %s old: a replay, a slow queue, or a clock that is wrong", Duration(d))
}

// SignatureLine writes what was found under a delivery.
func (s Style) SignatureLine(r *signature.Result) string {
	text := Signature(r)
	switch r.Reason {
	case signature.Valid:
		return s.good(text)
	case signature.Unverifiable:
		return s.warn(text)
	default:
		return s.bad(text)
	}
}
