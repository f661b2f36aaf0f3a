package check

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// What a handler that copes does, in most checks.
const (
	rightAck    = "a 2xx status in time"
	rightAlive  = "any answer in time whose status is below 500: a sender would try a 5xx again, and fail again"
	rightRefuse = "a 4xx status other than 429: a sender would try 429 and 5xx again"
)

// List returns the checks that there are for the types of a catalog, in the order
// in which they are made. A new check is one more element.
func List(catalog *webhook.Catalog) []*Check {
	var list []*Check
	for _, t := range catalog.Types() {
		list = append(list, &Check{
			Group: "events", Name: t.Name, needs: aWelcome, What: "the sample of " + t.Name + " with new ids and the present time", Right: rightAck,
			Hint: "acknowledge first, and work later",
			run: func(ctx context.Context, s *Suite) Verdict {
				i := slices.IndexFunc(s.types, func(known *subject) bool { return known.typ.Name == t.Name })
				return judge(acknowledged, s.asIs(ctx, s.types[i]))
			},
		})
	}
	list = append(list, payloads...)
	list = append(list, deliveries...)
	list = append(list, probes...)
	list = append(list, bodies...)
	list = append(list, connections...)
	return append(list, signatures...)
}

// payloads are checks of what a payload may be while it is that of an event.
var payloads = []*Check{
	{
		Group: "payloads", Name: "null-fields", needs: anEvent, Right: rightAck,
		What: "each event, with each documented field that may be null being null, one at a time",
		Hint: "look whether a value is null before using it: a missed call, for one, need not have an agent",
		run: eachField((*subject).nullable, "%s with %s null", func(payload []byte, f schema.Field) []byte {
			return set(payload, f.Path, "null")
		}),
	},
	{
		Group: "payloads", Name: "missing-fields", needs: anEvent, Right: rightAck,
		What: "each event, without each documented field that is not required, one at a time",
		Hint: "take every field but the ids, numbers, direction and status for one that may be absent",
		run: eachField((*subject).optional, "%s without %s", func(payload []byte, f schema.Field) []byte {
			return without(payload, f.Path)
		}),
	},
	{
		Group: "payloads", Name: "unknown-fields", needs: anEvent, Right: rightAck,
		What: "each event, with a field that is not documented in each of its objects",
		Hint: "ignore fields that you do not know: vendors add them without notice",
		run: eachEvent("%s with unknown fields", func(_ *Suite, t *subject, payload []byte) []byte {
			for _, object := range t.objects() {
				payload = set(payload, append(slices.Clone(object), "added_later"), `{"by": ["the vendor", 1, null]}`)
			}
			return payload
		}),
	},
	{
		Group: "payloads", Name: "unknown-event", needs: anEvent, Right: rightAck,
		What: "events of types that are not documented",
		Hint: "acknowledge events that you do not use: vendors add types, and count what is not acknowledged as a failure",
		run:  unknownEvents,
	},
	{
		Group: "payloads", Name: "text", needs: anEvent, Right: rightAck,
		What: "each event with text that people write: emoji, right-to-left script, quotes, markup, line ends; as it is, and in \\u escapes",
		Hint: "keep text as UTF-8 everywhere, the database included (utf8mb4 in MySQL), and never build a query or a page from it",
		run:  texts,
	},
}

// eachEvent makes a check of every event, changed in one way. The format is given
// the name of the type.
func eachEvent(format string, change func(*Suite, *subject, []byte) []byte) func(context.Context, *Suite) Verdict {
	return func(ctx context.Context, s *Suite) Verdict {
		return s.expect(ctx, acknowledged, func(yield func(delivery) bool) {
			for _, t := range s.good(ctx) {
				if !yield(s.event(t, fmt.Sprintf(format, t.typ.Name), change(s, t, s.fresh(t)))) {
					return
				}
			}
		})
	}
}

// eachField makes a check of every event, changed in one of some fields. The format
// is given the name of the type and the path of the field.
func eachField(fields func(*subject) []schema.Field, format string, change func([]byte, schema.Field) []byte) func(context.Context, *Suite) Verdict {
	return func(ctx context.Context, s *Suite) Verdict {
		return s.expect(ctx, acknowledged, func(yield func(delivery) bool) {
			for _, t := range s.good(ctx) {
				for _, f := range fields(t) {
					if !yield(s.event(t, fmt.Sprintf(format, t.typ.Name, join(f.Path)), change(s.fresh(t), f))) {
						return
					}
				}
			}
		})
	}
}

// unknownEvents delivers, of each envelope, an event whose type is new within what
// is known, and one whose type is altogether new.
func unknownEvents(ctx context.Context, s *Suite) Verdict {
	return s.expect(ctx, acknowledged, func(yield func(delivery) bool) {
		told := map[string]bool{}
		for _, t := range s.good(ctx) {
			family, _, _ := strings.Cut(t.typ.Value, ".")
			for _, name := range []string{family + ".added_later", "added.later"} {
				key := t.typ.Property + "\x00" + name
				if told[key] {
					continue
				}
				told[key] = true
				d := s.event(t, "an event of the type "+name, set(s.fresh(t), []string{t.typ.Property}, quote(name)))
				if d.event = name; !yield(d) {
					return
				}
			}
		}
	})
}

// awkward is text that people write.
const awkward = "Zoë 👩‍👩‍👧 \U0001F1FA\U0001F1F8 שלום עולם مرحبا \u202eabc\u202c 你好 \"quoted\" 'it''s' \\ <b>&amp;</b> %s ${x} {{x}}\r\n\ttab \u2028 \u0001 end"

// escaped writes a string as JSON in ASCII.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range quote(text) {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return b.String()
}

func texts(ctx context.Context, s *Suite) Verdict {
	return s.expect(ctx, acknowledged, func(yield func(delivery) bool) {
		for _, t := range s.good(ctx) {
			for _, spelling := range []struct {
				what, text string
			}{{"%s with awkward text", quote(awkward)}, {"%s with awkward text in escapes", escaped(awkward)}} {
				fields := t.texts()
				payload := s.fresh(t)
				for _, f := range fields {
					payload = set(payload, f.Path, spelling.text)
				}
				if len(fields) > 0 && !yield(s.event(t, fmt.Sprintf(spelling.what, t.typ.Name), payload)) {
					return
				}
			}
		}
	})
}

// atOnce is how many deliveries come at the same time.
const atOnce = 20

// deliveries are checks of deliveries that have to do with one another.
var deliveries = []*Check{
	{
		Group: "deliveries", Name: "duplicate", needs: anEvent, Right: "for the second one, a 2xx status as for the first",
		What: "each event twice, the same bytes",
		Hint: "recognise what was done already by the type and the id together, and acknowledge it",
		run: func(ctx context.Context, s *Suite) Verdict {
			var exchanges []*exchange
			for _, t := range s.good(ctx) {
				exchanges = append(exchanges, s.duplicate(ctx, t))
			}
			return judge(acknowledged, exchanges...)
		},
	},
	{
		Group: "deliveries", Name: "out-of-order", needs: anEvent, Right: rightAck,
		What: "the events that are about one thing (a call, a message, a contact) with its id: all in one order, then with another id in the reverse order",
		Hint: "events can overtake one another: keep what comes early, and never refuse an event because of one that came before",
		run:  outOfOrder,
	},
	{
		Group: "deliveries", Name: "at-once", needs: anEvent, Right: rightAck + ", for each",
		What: fmt.Sprintf("%d different events at the same time", atOnce),
		Hint: "one lock, or one worker, makes everybody wait for the slowest",
		run: func(ctx context.Context, s *Suite) Verdict {
			good := s.good(ctx)
			var all []delivery
			for i := range atOnce {
				t := good[i%len(good)]
				all = append(all, s.event(t, t.typ.Name+", one of many at the same time", s.fresh(t)))
			}
			return s.atOnce(ctx, acknowledged, all)
		},
	},
	{
		Group: "deliveries", Name: "same-at-once", needs: anEvent | aRepeat, Right: rightAck + ", for each",
		What: fmt.Sprintf("one event %d times at the same time, the same bytes", atOnce),
		Hint: "let the database decide who is first, by a unique key: to look and then to write is a race",
		run: func(ctx context.Context, s *Suite) Verdict {
			t := s.repeatable(ctx)[0]
			return s.atOnce(ctx, acknowledged, slices.Repeat([]delivery{s.event(t, t.typ.Name+", many times at the same time", s.fresh(t))}, atOnce))
		},
	},
	{
		Group: "deliveries", Name: "duplicate-effect", needs: anEvent | aRepeat | aCounter, Right: "duplicates do not change the number that the count command prints",
		What: fmt.Sprintf("each event once, the same once more, and new ones %d times at the same time", copies),
		Hint: "a handler that does its work twice still answers 200: keep what was done under a unique key, and look there first",
		run:  effect,
	},
}

// outOfOrder delivers the events that share an id. Which order is the right one
// nobody has to know: one of two that are opposite is wrong.
func outOfOrder(ctx context.Context, s *Suite) Verdict {
	type group struct {
		id    string // where it is
		types []*subject
	}
	var groups []*group
	for _, t := range s.good(ctx) {
		for _, f := range t.ids() {
			id := t.typ.Family + "\x00" + place(f.Path)
			i := slices.IndexFunc(groups, func(g *group) bool { return g.id == id })
			if i < 0 {
				i = len(groups)
				groups = append(groups, &group{id: id})
			}
			groups[i].types = append(groups[i].types, t)
		}
	}
	return s.expect(ctx, acknowledged, func(yield func(delivery) bool) {
		for _, g := range groups {
			if len(g.types) < 2 {
				continue
			}
			for _, backward := range []bool{false, true} {
				types := slices.Clone(g.types)
				if backward {
					slices.Reverse(types)
				}
				ids := types[0].ids()
				first := s.fresh(types[0])
				for i, t := range types {
					payload := s.freshAt(t, s.options.Now().Add(-time.Duration(i)*time.Minute))
					for _, f := range ids {
						if slices.ContainsFunc(t.ids(), func(own schema.Field) bool { return slices.Equal(own.Path, f.Path) }) {
							payload = set(payload, f.Path, rawAt(first, f.Path))
						}
					}
					what := t.typ.Name
					if i > 0 {
						what += fmt.Sprintf(", after a %s of the same id", types[i-1].typ.Name)
					}
					if !yield(s.event(t, what, payload)) {
						return
					}
				}
			}
		}
	})
}

// probes are checks of requests that only ask whether the URL is there.
var probes = []*Check{
	probe("get", "GET without a signature, as some vendors probe a URL when it is saved", delivery{what: "GET", method: http.MethodGet}),
	probe("head", "HEAD without a signature", delivery{what: "HEAD", method: http.MethodHead}),
	probe("empty-post", "POST without a body, a Content-Type and a signature", delivery{what: "POST without a body and a Content-Type"}),
}

func probe(name, what string, d delivery) *Check {
	d.header = map[string][]string{"Content-Type": nil}
	return &Check{
		Group: "probes", Name: name, What: what, Right: rightAlive,
		Hint: "answer 200, or 405 where the method is not yours",
		run:  func(ctx context.Context, s *Suite) Verdict { return judge(survived, s.send(ctx, d)) },
	}
}

// Sizes of bodies.
const (
	largeBody = 1 << 20 // bytes
	deepBody  = 5000    // arrays in one another
)

// bodies are checks of what is no payload of an event, or hardly one.
var bodies = []*Check{
	{
		Group: "bodies", Name: "malformed-json", Right: rightAlive,
		What: "bodies that are not JSON: half an event, words, an open brace, bytes that are not UTF-8",
		Hint: "answer 400 when the body cannot be read",
		run: eachBody(func(s *Suite) []delivery {
			event := s.fresh(s.types[0])
			return []delivery{
				s.raw("half an event", event[:len(event)/2]),
				s.raw("words", []byte("hello, world")),
				s.raw("an open brace", []byte("{")),
				s.raw("an event and a brace too many", append(slices.Clone(event), '}')),
				s.raw("bytes that are not UTF-8", []byte("{\"\xff\xfe\": \"\xc3\x28\"}")),
			}
		}),
	},
	{
		Group: "bodies", Name: "not-an-event", Right: rightAlive,
		What: "JSON that is not the payload of an event: null, a number, a string, arrays, an empty object, an event whose objects are null or arrays",
		Hint: "answer 400, or ignore it, when the event type is not a string or what belongs to it is not an object",
		run: eachBody(func(s *Suite) []delivery {
			var all []delivery
			for _, text := range []string{"null", "1", `"text"`, "[]", "[null]", "{}", `{"": 0}`} {
				all = append(all, s.raw(text, []byte(text)))
			}
			t := s.types[0]
			for _, object := range t.objects()[1:] {
				for _, raw := range []string{"null", "[]", `"text"`} {
					all = append(all, s.event(t, fmt.Sprintf("%s with %s %s", t.typ.Name, join(object), raw), set(s.fresh(t), object, raw)))
				}
			}
			for _, raw := range []string{"null", "1", "{}"} {
				all = append(all, s.raw(t.typ.Property+" "+raw, set(s.fresh(t), []string{t.typ.Property}, raw)))
			}
			return all
		}),
	},
	{
		Group: "bodies", Name: "empty-body", Right: rightAlive,
		What: "a body of no bytes that calls itself JSON",
		Hint: "answer 400 when the body cannot be read, and do not wait for bytes that do not come",
		run:  eachBody(func(s *Suite) []delivery { return []delivery{s.raw("a body of no bytes", nil)} }),
	},
	{
		Group: "bodies", Name: "large-body", Right: rightAlive + "; to answer 413, or to close the connection before all was sent, is right too",
		What: "an event with an unknown field that makes it 1 MiB long",
		Hint: "bound the size of a body, and answer 413 beyond it",
		run: func(ctx context.Context, s *Suite) Verdict {
			t := s.types[0]
			body := s.fresh(t)
			filler := quote(strings.Repeat("x", max(largeBody-len(body)-len(`,"added_later":""`), 0)))
			e := s.send(ctx, s.event(t, t.typ.Name+" of 1 MiB", set(body, []string{"added_later"}, filler)))
			return judge(func(o *deliver.Outcome) bool { return survived(o) || cutShort(o) }, e)
		},
	},
	{
		Group: "bodies", Name: "deep-json", Right: rightAlive,
		What: fmt.Sprintf("an event with %d arrays in one another in an unknown field", deepBody),
		Hint: "a parser that calls itself for each level needs a limit",
		run: eachBody(func(s *Suite) []delivery {
			t := s.types[0]
			deep := strings.Repeat("[", deepBody) + strings.Repeat("]", deepBody)
			return []delivery{s.event(t, t.typ.Name+" with deep arrays", set(s.fresh(t), []string{"added_later"}, deep))}
		}),
	},
	{
		Group: "bodies", Name: "content-type", Right: rightAlive,
		What: "an event under another Content-Type: text, a form, multipart without a boundary, one that cannot be read, none",
		Hint: "read the body as JSON whatever the header says, or answer 415",
		run: eachBody(func(s *Suite) []delivery {
			t := s.types[0]
			var all []delivery
			for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; charset=nonsense", ";/;", ""} {
				d := s.event(t, fmt.Sprintf("%s as %q", t.typ.Name, kind), s.fresh(t))
				d.header = map[string][]string{"Content-Type": {kind}}
				if kind == "" {
					d.what, d.header["Content-Type"] = t.typ.Name+" without a Content-Type", nil
				}
				all = append(all, d)
			}
			return all
		}),
	},
}

// eachBody makes a check of bodies that a handler has to survive.
func eachBody(bodies func(*Suite) []delivery) func(context.Context, *Suite) Verdict {
	return func(ctx context.Context, s *Suite) Verdict {
		return s.expect(ctx, survived, slices.Values(bodies(s)))
	}
}

// connections are checks of how requests come, and not of what is in them.
var connections = []*Check{
	{
		Group: "connections", Name: "keep-alive", needs: anEvent | aStraight,
		What:  fmt.Sprintf("%d events, one after the other, on one connection", onOneLine),
		Right: "a 2xx status for each; or, before a connection is closed, an answer that says so (Connection: close)",
		Hint:  "to close a connection without saying so makes a sender lose the next delivery",
		run:   func(ctx context.Context, s *Suite) Verdict { return s.keepAlive(ctx) },
	},
	{
		Group: "connections", Name: "slow-client", needs: anEvent | aStraight, Right: rightAck + " after the last piece",
		What: "an event whose body comes in pieces, within 600 ms",
		Hint: "read until the whole body is there, and give it some seconds",
		run:  func(ctx context.Context, s *Suite) Verdict { return s.slow(ctx) },
	},
	{
		Group: "connections", Name: "stuck-client", needs: anEvent | aStraight, Right: rightAck,
		What: "an event, while another client has stopped in the middle of its body",
		Hint: "a server with a single thread serves nobody while it waits for one",
		run:  func(ctx context.Context, s *Suite) Verdict { return s.stuck(ctx) },
	},
}
