package signature_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/signature"
)

// The test vector that JustCall publishes.
const (
	secret    = "ea39089c40790e9dc7a080ec95e849b8fa0fa5fb"
	target    = "https://webhook.site/3bcea770-370a-4b09-8b66-426f687e08a4"
	event     = "call.completed"
	timestamp = "2024-03-21 17:08:22"
	published = "56761bae5b27a784a3ddd2af828bc5def7176bc0a8650199b04c737bd39bbecf"
)

func ExampleSign() {
	fmt.Println(signature.Sign(secret, target, event, timestamp))
	// Output: 56761bae5b27a784a3ddd2af828bc5def7176bc0a8650199b04c737bd39bbecf
}

func ExampleVerifier_Verify() {
	v := signature.Verifier{Secret: secret, URL: target, Now: func() time.Time { return time.Date(2024, 3, 21, 17, 9, 0, 0, time.UTC) }}
	header := map[string][]string{
		signature.HeaderSignature: {published},
		signature.HeaderVersion:   {"v1"},
		signature.HeaderTimestamp: {timestamp},
	}
	fmt.Println(v.Verify(header, event, nil).Reason)
	// Output: valid
}

func TestEncodeURIComponent(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"AZaz09-_.!~*'()":                 "AZaz09-_.!~*'()",
		"https://a.b/c d?e=f&g=+#h":       "https%3A%2F%2Fa.b%2Fc%20d%3Fe%3Df%26g%3D%2B%23h",
		"é😀":                              "%C3%A9%F0%9F%98%80",
		"%2F \"<>[]{}|\\^`;,/?:@&=+$\x7f": "%252F%20%22%3C%3E%5B%5D%7B%7D%7C%5C%5E%60%3B%2C%2F%3F%3A%40%26%3D%2B%24%7F",
	} {
		if got := signature.EncodeURIComponent(in); got != want {
			t.Errorf("EncodeURIComponent(%q) = %s, want %s", in, got, want)
		}
	}
}

// bodySum is the HMAC-SHA256 of {} under the secret, as openssl prints it.
const bodySum = "485337f0c5425a61e104dfcdf60224d34502123ee7318d3d052292a1f370eca6"

func signed(edit func(map[string][]string)) map[string][]string {
	h := map[string][]string{
		signature.HeaderSignature: {published}, signature.HeaderVersion: {"v1"}, signature.HeaderTimestamp: {timestamp},
	}
	if edit != nil {
		edit(h)
	}
	return h
}

func set(name, value string) func(map[string][]string) {
	return func(h map[string][]string) { h[name] = []string{value} }
}

func TestVerify(t *testing.T) {
	at := time.Date(2024, 3, 21, 17, 8, 22, 0, time.UTC)
	sign := func(secret, url, event string) func(map[string][]string) {
		return set(signature.HeaderSignature, signature.Sign(secret, url, event, timestamp))
	}
	for _, tt := range []struct {
		name   string
		header map[string][]string
		change func(*signature.Verifier)
		now    time.Time
		want   signature.Reason
		near   signature.Miss
	}{
		{name: "valid", header: signed(nil), want: signature.Valid},
		{name: "no signature", header: signed(func(h map[string][]string) { delete(h, signature.HeaderSignature) }), want: signature.Missing},
		{name: "empty signature", header: signed(set(signature.HeaderSignature, "")), want: signature.Missing},
		{name: "no version", header: signed(func(h map[string][]string) { delete(h, signature.HeaderVersion) }), want: signature.Missing},
		{name: "no timestamp", header: signed(func(h map[string][]string) { delete(h, signature.HeaderTimestamp) }), want: signature.Missing},
		{name: "other version", header: signed(set(signature.HeaderVersion, "v2")), want: signature.Versioned},
		{name: "a number as timestamp", header: signed(set(signature.HeaderTimestamp, "1711040902")), want: signature.Malformed},
		{name: "stale", header: signed(nil), now: at.Add(time.Hour), want: signature.Stale},
		{name: "from the future", header: signed(nil), now: at.Add(-time.Hour), want: signature.Stale},
		{name: "any time", header: signed(nil), now: at.Add(time.Hour), change: func(v *signature.Verifier) { v.Tolerance = -1 }, want: signature.Valid},
		{name: "no secret", header: signed(nil), change: func(v *signature.Verifier) { v.Secret = "" }, want: signature.Unverifiable},
		{name: "no URL", header: signed(nil), change: func(v *signature.Verifier) { v.URL = "" }, want: signature.Unverifiable},
		{name: "wrong secret", header: signed(sign("other", target, event)), want: signature.Mismatch},
		{name: "of another length", header: signed(set(signature.HeaderSignature, "5676")), want: signature.Mismatch},
		{name: "another event", header: signed(sign(secret, target, "call.missed")), want: signature.Mismatch},
		{name: "slash", header: signed(sign(secret, target+"/", event)), want: signature.Mismatch, near: signature.MissURL},
		{name: "http", header: signed(sign(secret, strings.Replace(target, "https", "http", 1), event)), want: signature.Mismatch, near: signature.MissURL},
		{name: "upper case", header: signed(set(signature.HeaderSignature, strings.ToUpper(published))), want: signature.Mismatch, near: signature.MissCase},
		{name: "of the body", header: signed(set(signature.HeaderSignature, bodySum)), want: signature.Mismatch, near: signature.MissBody},
		{name: "the key", header: signed(sign("my key", target, event)), change: func(v *signature.Verifier) { v.Key = "my key" }, want: signature.Mismatch, near: signature.MissKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := tt.now
			if now.IsZero() {
				now = at
			}
			v := signature.Verifier{Secret: secret, URL: target, Now: func() time.Time { return now }}
			if tt.change != nil {
				tt.change(&v)
			}
			got := v.Verify(tt.header, event, []byte("{}"))
			if got.Reason != tt.want || got.Near != tt.near {
				t.Errorf("got %+v, want %s %s", got, tt.want, tt.near)
			}
			if strings.Contains(fmt.Sprint(got), published) || v.Secret != "" && strings.Contains(fmt.Sprint(got), v.Secret) {
				t.Errorf("%+v tells what it must not", got)
			}
		})
	}
}

// FuzzVerify holds that nothing but the right signature is valid.
func FuzzVerify(f *testing.F) {
	f.Add(published, "v1", timestamp, target, event)
	f.Add("", "v1", timestamp, target+"/", event)
	f.Add("x", "v2", "2024-13-01 00:00:00", "http://[::1", "")
	f.Add(strings.ToUpper(published), "v1", timestamp, "HTTPS://a%2Fb/?c", "\x00")
	f.Fuzz(func(t *testing.T, sig, version, at, url, event string) {
		v := signature.Verifier{Secret: secret, URL: url, Tolerance: -1}
		got := v.Verify(map[string][]string{
			signature.HeaderSignature: {sig}, signature.HeaderVersion: {version}, signature.HeaderTimestamp: {at},
		}, event, []byte(event))
		if got.Reason == signature.Valid && (version != "v1" || url == "" || sig != signature.Sign(secret, url, event, at)) {
			t.Fatalf("%+v", got)
		}
		if got.Near == signature.MissURL && got.URL == url {
			t.Fatalf("%q is no other spelling", url)
		}
	})
}
