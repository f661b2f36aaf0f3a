package check

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/signature"
)

// signatures are checks of a handler that verifies who sends.
var signatures = []*Check{
	{
		Group: "signature", Name: "accepted", needs: aSecret, Right: rightAck,
		What: "events with a good signature, as all of the other groups have",
		Hint: "sign secret|encodeURIComponent(URL)|type|timestamp with the secret, in hexadecimal; not the body; the timestamp is UTC; is --url what the handler believes in?",
		run: func(ctx context.Context, s *Suite) Verdict {
			if s.refusesAll(ctx) {
				return judge(acknowledged, s.asIs(ctx, s.types[0]))
			}
			good := s.good(ctx)
			if len(good) == 0 {
				return Verdict{Kind: Blocked, Reason: NotAcknowledged}
			}
			return judge(acknowledged, s.asIs(ctx, good[0]))
		},
	},
	{
		Group: "signature", Name: "wrong-key", needs: aSecret | anEvent, Right: rightRefuse,
		What: "an event whose signature was made with another secret",
		Hint: "verify the signature before anything else, and answer 401 when it does not match",
		run:  func(ctx context.Context, s *Suite) Verdict { return judge(refused, s.forgery(ctx)) },
	},
	forgery("missing-headers", "an event without one of the three header fields, and without all of them",
		"a field that is missing is no reason to let the sender pass",
		func(s *Suite, d delivery) []delivery {
			names := []string{signature.HeaderSignature, signature.HeaderVersion, signature.HeaderTimestamp}
			all := []delivery{s.alter(d, "without a signature, its version and its timestamp", func(h map[string]string) { clear(h) })}
			for _, name := range names {
				all = append(all, s.alter(d, "without "+name, func(h map[string]string) { delete(h, name) }))
			}
			return all
		}),
	forgery("malformed", "an event with a signature that is short, long, no hexadecimal, or behind a word",
		"compare the lengths before a comparison that wants equal ones, such as timingSafeEqual",
		func(s *Suite, d delivery) []delivery {
			var all []delivery
			for _, bad := range []struct{ what, text string }{
				{"of 2 digits", "ab"},
				{"of 63 digits", strings.Repeat("a", 63)},
				{"of 200 digits", strings.Repeat("ab", 100)},
				{"that is no hexadecimal", strings.Repeat("zz", 32)},
				{"beyond ASCII", strings.Repeat("é", 32)},
				{"behind sha256=", "sha256=" + strings.Repeat("ab", 32)},
			} {
				all = append(all, s.alter(d, "with a signature "+bad.what, func(h map[string]string) { h[signature.HeaderSignature] = bad.text }))
			}
			return all
		}),
	forgery("malformed-timestamp", "an event with a wrong signature and a timestamp that cannot be read",
		"a timestamp that cannot be read is a bad request, and no failure of yours",
		func(s *Suite, d delivery) []delivery {
			var all []delivery
			for _, text := range []string{"yesterday", "1e999", "9999-99-99 99:99:99", "-1", strings.Repeat("9", 400)} {
				all = append(all, s.alter(d, "with the timestamp "+text[:min(len(text), 20)], func(h map[string]string) {
					h[signature.HeaderTimestamp] = text
					h[signature.HeaderSignature] = strings.Repeat("ab", 32)
				}))
			}
			return all
		}),
	forgery("stale", "an event whose good signature is a day old",
		"refuse a timestamp that is more than some minutes old, or a delivery that somebody recorded works for ever",
		func(s *Suite, d delivery) []delivery {
			d.what += ", signed a day ago"
			d.sign = func(event string, now time.Time) map[string]string { return s.sign(event, now.Add(-24*time.Hour)) }
			return []delivery{d}
		}),
	forgery("other-version", "an event whose good signature says that it is of version v2",
		"compare the version with v1: what a later one means is not known",
		func(s *Suite, d delivery) []delivery {
			return []delivery{s.alter(d, "signed as version v2", func(h map[string]string) { h[signature.HeaderVersion] = "v2" })}
		}),
	forgery("other-url", "an event that is signed for another URL: of another host, and of another path on this one",
		"verify for the URL that is registered, and for no other",
		func(s *Suite, d delivery) []delivery {
			return []delivery{s.signedFor(d, elsewhere), s.signedFor(d, s.options.Registered+"/other")}
		}),
	forgery("url-from-body", "an event that is signed for another URL, which it names as its webhook_url",
		"take the URL from your configuration: a request must not say itself what it is verified with",
		func(s *Suite, d delivery) []delivery {
			d = s.signedFor(d, elsewhere)
			d.what += ", and naming it in the body"
			d.body = set(d.body, []string{"webhook_url"}, quote(elsewhere))
			return []delivery{d}
		}),
	forgery("url-from-header", "an event that is signed for another host, which it names in Host and in X-Forwarded-Host",
		"take the URL from your configuration: a request must not say itself what it is verified with",
		func(s *Suite, d delivery) []delivery {
			u, err := url.Parse(elsewhere)
			if err != nil {
				return nil
			}
			// As the handler would write it: by the URL that it believes in.
			other, err := url.Parse(s.options.Registered)
			if err != nil {
				return nil
			}
			other.Host, other.User = u.Host, nil
			d = s.signedFor(d, other.String())
			forwarded := d
			d.what += ", and naming it in Host"
			d.header = map[string][]string{"Host": {other.Host}}
			forwarded.what += ", and naming it in X-Forwarded-Host"
			forwarded.header = map[string][]string{"X-Forwarded-Host": {other.Host}}
			return []delivery{d, forwarded}
		}),
	{
		Group: "signature", Name: "altered-body", needs: aSecret | anEvent | aVerifier, Right: "nothing: version v1 does not sign the body",
		What: "an event that was altered after it was signed",
		run: func(ctx context.Context, s *Suite) Verdict {
			t := s.good(ctx)[0]
			d := s.event(t, t.typ.Name+", altered after it was signed", set(s.fresh(t), []string{"added_by"}, `"somebody on the way"`))
			return note(BodyUnsigned, s.send(ctx, d))
		},
	},
	{
		Group: "signature", Name: "replay", needs: aSecret | anEvent | aVerifier, Right: "nothing that the signature can tell: there is no number in it that is used once",
		What: "another event under the signature of one that was delivered before",
		run: func(ctx context.Context, s *Suite) Verdict {
			t := s.good(ctx)[0]
			now := s.options.Now()
			same := func(event string, _ time.Time) map[string]string { return s.sign(event, now) }
			first := s.event(t, t.typ.Name, s.fresh(t))
			second := s.event(t, t.typ.Name+", under the signature of another one", s.fresh(t))
			first.sign, second.sign = same, same
			s.send(ctx, first)
			return note(Replayed, s.send(ctx, second))
		},
	},
}

// welcome is the check of whether good signatures are accepted.
const welcome = "signature/accepted"

// elsewhere is a URL that no handler has.
const elsewhere = "https://elsewhere.example/hooks"

// forgery is a check of events with a signature that has to be refused.
func forgery(name, what, hint string, forge func(*Suite, delivery) []delivery) *Check {
	return &Check{
		Group: "signature", Name: name, What: what, Right: rightRefuse, Hint: hint, needs: aSecret | anEvent | aVerifier,
		run: func(ctx context.Context, s *Suite) Verdict {
			t := s.good(ctx)[0]
			return s.expect(ctx, refused, slices.Values(forge(s, s.event(t, t.typ.Name, s.fresh(t)))))
		},
	}
}

// note is a verdict that is about what the protocol cannot tell.
func note(reason Reason, e *exchange) Verdict {
	v := judge(acknowledged, e)
	v.Kind, v.Reason, v.Bad = Note, reason, 0
	return v
}

// signedFor changes for which URL a delivery is signed.
func (s *Suite) signedFor(d delivery, other string) delivery {
	d.what += ", signed for " + redacted(other)
	d.sign = func(event string, now time.Time) map[string]string {
		return signature.Headers(s.options.Secret, other, event, now)
	}
	return d
}

// redacted returns a URL without the password that may be in it.
func redacted(text string) string {
	if u, err := url.Parse(text); err == nil {
		return u.Redacted()
	}
	return text
}

// alter changes the header fields of a good signature.
func (s *Suite) alter(d delivery, what string, change func(map[string]string)) delivery {
	sign := d.sign
	d.what += " " + what
	d.sign = func(event string, now time.Time) map[string]string {
		header := sign(event, now)
		change(header)
		return header
	}
	return d
}
