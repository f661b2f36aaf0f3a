package signature

import "time"

// A Fault is a way in which a signature can be wrong.
type Fault string

// The faults that [Fault.Headers] makes. NoFault is a good signature.
const (
	NoFault      Fault = ""
	WrongKey     Fault = "wrong-key"     // made with another secret
	Tampered     Fault = "tampered"      // one digit of it is another one
	Absent       Fault = "missing"       // no header field at all
	Old          Fault = "stale"         // right, but of a day ago
	OtherVersion Fault = "other-version" // right, but called v2
)

// Faults are all of them, in the order in which they are documented.
var Faults = []Fault{WrongKey, Tampered, Absent, Old, OtherVersion}

// staleBy is the age of a stale signature.
const staleBy = 24 * time.Hour

// Headers is [Headers] with the fault.
func (f Fault) Headers(secret, webhookURL, event string, now time.Time) map[string]string {
	switch f {
	case Absent:
		return nil
	case WrongKey:
		secret += "x"
	case Old:
		now = now.Add(-staleBy)
	case NoFault, Tampered, OtherVersion:
	}
	h := Headers(secret, webhookURL, event, now)
	switch f {
	case Tampered:
		digits := []byte(h[HeaderSignature])
		last := &digits[len(digits)-1]
		if *last == '0' {
			*last = '1'
		} else {
			*last = '0'
		}
		h[HeaderSignature] = string(digits)
	case OtherVersion:
		h[HeaderVersion] = "v2"
	case NoFault, WrongKey, Absent, Old:
	}
	return h
}
