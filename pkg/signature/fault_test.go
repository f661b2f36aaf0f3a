package signature_test

import (
	"testing"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/signature"
)

// Each fault is found to be what it is.
func TestFaults(t *testing.T) {
	now := time.Date(2026, 3, 12, 14, 30, 0, 0, time.UTC)
	v := &signature.Verifier{Secret: "s3cret", URL: "https://x.example/hooks", Now: func() time.Time { return now }}
	want := map[signature.Fault]signature.Reason{
		signature.NoFault: signature.Valid, signature.WrongKey: signature.Mismatch, signature.Tampered: signature.Mismatch,
		signature.Absent: signature.Missing, signature.Old: signature.Stale, signature.OtherVersion: signature.Versioned,
	}
	if len(signature.Faults) != len(want)-1 {
		t.Errorf("%d faults, want %d", len(signature.Faults), len(want)-1)
	}
	for fault, reason := range want {
		header := map[string][]string{}
		for name, value := range fault.Headers(v.Secret, v.URL, "e", now) {
			header[name] = []string{value}
		}
		if r := v.Verify(header, "e", nil); r.Reason != reason {
			t.Errorf("%q: got %s, want %s", fault, r.Reason, reason)
		}
	}
}
