// Package check asks a handler of webhooks whether it copes with what a sender
// may do: a list of checks, each a small unit, that deliver to one URL and look
// at the answers.
//
// What is sent is derived from the samples and schemas of a catalog, and no event
// type is named here. It must not print: a verdict has facts, and package report
// has the words.
package check

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/signature"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// DefaultDeadline is how long a handler may take to answer unless
// [Options.Deadline] says otherwise. JustCall does not document how long it
// waits.
const DefaultDeadline = 5 * time.Second

// A Check is one question to a handler.
type Check struct {
	// Group and Name are short words, and together they are unique.
	Group, Name string

	// What says what is sent, Right what a handler that copes does, and Hint
	// what is usually wrong with one that does not; it may be empty.
	What, Right, Hint string

	needs need
	run   func(context.Context, *Suite) Verdict
}

// ID is the group and the name, with a slash between them.
func (c *Check) ID() string { return c.Group + "/" + c.Name }

// Matches reports whether a pattern, as [path.Match] reads it, selects the check:
// by its group, its name, or both with a slash between them.
func (c *Check) Matches(pattern string) bool {
	for _, text := range []string{c.Group, c.Name, c.ID()} {
		if ok, err := path.Match(pattern, text); ok && err == nil || pattern == text {
			return true
		}
	}
	return false
}

// A need is what there must be for a check to have a meaning.
type need int

const (
	aSecret   need = 1 << iota // to sign with
	anEvent                    // that is acknowledged as it is
	aVerifier                  // a handler that refuses the signature of another key
	aRepeat                    // an event whose duplicate is acknowledged
	aCounter                   // of what the handler has done
	aStraight                  // connection, without a proxy
	aWelcome                   // good signatures are not refused, or nobody asks whether they are
)

// A Kind says in one word what came of a check.
type Kind string

// A Pass and a Fail are answers. A Note is about what the protocol cannot tell. A
// check is a Skip when nothing for it was asked for, and Blocked when it could not
// be made because of something else that is wrong.
const (
	Pass    Kind = "pass"
	Fail    Kind = "fail"
	Note    Kind = "note"
	Skip    Kind = "skip"
	Blocked Kind = "blocked"
)

// A Reason says why a check was skipped or blocked, what a note is about, or what
// failed that is not seen from one answer.
type Reason string

// The reasons of a [Skip].
const (
	NoSecret  Reason = "no-secret"  // nothing to sign with
	NoCounter Reason = "no-counter" // nothing that counts
	Proxied   Reason = "proxy"      // it is about a connection, and a proxy makes that
	Nothing   Reason = "nothing"    // the catalog has nothing to send
)

// The reasons of [Blocked].
const (
	NotAcknowledged Reason = "not-acknowledged" // no event is, as it is
	NotAccepted     Reason = "not-accepted"     // good signatures are refused
	NotVerified     Reason = "not-verified"     // the signature of another key is not refused
	NotRepeatable   Reason = "not-repeatable"   // a duplicate alone is not acknowledged
	NotCounted      Reason = "not-counted"      // the counter failed
	Silent          Reason = "silent"           // nothing was ever answered
	Gone            Reason = "gone"             // nothing listens any more
)

// The reasons of a [Note].
const (
	BodyUnsigned Reason = "body-unsigned" // an altered body cannot be told
	Replayed     Reason = "replayed"      // a repetition in time cannot be told
	Uncounted    Reason = "uncounted"     // the number does not change at all
)

// The reasons of a [Fail].
const (
	Repeated Reason = "repeated" // duplicates change the number
	Dropped  Reason = "dropped"  // a connection ended that was to be kept
)

// A Verdict is what came of a check, as facts.
type Verdict struct {
	Kind   Kind
	Reason Reason

	// Sent says which delivery the outcome is of: the first one that was not
	// answered as it should be, else the last one. Outcome is nil when there
	// was none.
	Sent    string
	Outcome *deliver.Outcome

	// Deliveries is how many there were, and Bad how many of them were not
	// answered as they should be. Statuses are the different statuses of the
	// answers, 0 for none, in ascending order; Slowest is the longest latency.
	Deliveries, Bad int
	Statuses        []int
	Slowest         time.Duration

	// Without names the event types that were left out, because they are not
	// acknowledged as they are.
	Without []string

	// Counts are what the counter said: before, after each event once, after
	// the same once more, and after new ones several times at once.
	Counts []int64

	// Err is why the counter failed.
	Err error
}

// A Result is a check and its verdict.
type Result struct {
	Check   *Check
	Verdict Verdict

	// Took is how long the check took.
	Took time.Duration
}

// Options say what is tested and how.
type Options struct {
	// URL is where deliveries go. It must be absolute, as
	// [deliver.ParseURL] returns it.
	URL string

	// Secret is what deliveries are signed with, for the URL Registered,
	// which is what the handler believes in; empty means URL. Without a
	// secret nothing is signed.
	Secret, Registered string

	// Header is added to every request.
	Header map[string][]string

	// Deadline bounds each answer; 0 means [DefaultDeadline].
	Deadline time.Duration

	// UserAgent is the User-Agent of every request, and Insecure accepts any
	// certificate.
	UserAgent string
	Insecure  bool

	// Seed is what chance begins with: ids are made by it.
	Seed uint64

	// Count returns how much the handler has done so far: rows, bookings,
	// messages. Nil leaves out the check that asks it.
	Count func(context.Context) (int64, error)

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// A Suite makes checks of one handler. It remembers what it has learnt of it, and
// is used by one goroutine.
type Suite struct {
	options Options
	target  *url.URL
	client  *deliver.Client
	types   []*subject
	chance  *rand.Rand

	plain    map[*subject]*exchange // what came of each type as it is
	repeat   map[*subject]*exchange // and of its duplicate
	forged   *exchange              // and of the signature of another key
	answered bool                   // something was, once
	silence  int                    // how many in a row were not
	gone     bool                   // nothing listens any more

	asksWelcome bool // one of the checks is whether good signatures are accepted
}

// maxSilence is how many deliveries a handler that has never answered leaves
// unanswered before no more are made.
const maxSilence = 3

// New returns a suite for the types of the catalog. It fails when a schema does
// not compile or the URL cannot be read.
func New(catalog *webhook.Catalog, o Options) (*Suite, error) {
	if o.Deadline == 0 {
		o.Deadline = DefaultDeadline
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Registered == "" {
		o.Registered = o.URL
	}
	target, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	types, err := subjects(catalog)
	if err != nil {
		return nil, err
	}
	return &Suite{
		options: o, target: target, types: types,
		client: deliver.NewClient(deliver.Options{Timeout: o.Deadline, UserAgent: o.UserAgent, Insecure: o.Insecure, Fresh: true}),
		chance: rand.New(rand.NewPCG(o.Seed, 0)), //nolint:gosec // ids that nobody has to guess
		plain:  map[*subject]*exchange{}, repeat: map[*subject]*exchange{},
	}, nil
}

// Run makes the checks in turn and tells what came of each. It ends early with
// the error of the context, or with that of tell.
func (s *Suite) Run(ctx context.Context, checks []*Check, tell func(Result) error) error {
	s.asksWelcome = slices.ContainsFunc(checks, func(c *Check) bool { return c.ID() == welcome })
	for _, c := range checks {
		begin := time.Now()
		v := s.check(ctx, c)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := tell(Result{Check: c, Verdict: v, Took: time.Since(begin)}); err != nil {
			return err
		}
		if v.Kind == Fail && v.Outcome != nil && v.Outcome.Err != nil {
			s.gone = s.wentDown(ctx)
			s.rest(ctx, v.Outcome)
		}
	}
	return nil
}

// maxRest is how many deliveries in a row may come too late before the next check
// is made all the same.
const maxRest = 3

// rest lets a handler that was too slow finish what it is busy with, so that the
// next check does not meet it.
func (s *Suite) rest(ctx context.Context, o *deliver.Outcome) {
	if o.Class != deliver.Timeout || !s.answered || s.gone {
		return
	}
	if good := s.good(ctx); len(good) > 0 {
		for range maxRest {
			if e := s.send(ctx, s.event(good[0], good[0].typ.Name, s.fresh(good[0]))); e.outcome.Class != deliver.Timeout {
				return
			}
		}
	}
}

// restart is how long a handler that went down may take to be there again.
const restart = time.Second

// wentDown reports whether nothing listens any more: a handler that went down is
// told from one that closed a connection.
func (s *Suite) wentDown(ctx context.Context) bool {
	for begin := time.Now(); ctx.Err() == nil; time.Sleep(breath) {
		var unreachable *UnreachableError
		if !errors.As(s.Reach(ctx), &unreachable) || unreachable.Class != deliver.Refused {
			return false
		}
		if time.Since(begin) > restart {
			return true
		}
	}
	return false
}

// check makes one check, unless something that it needs is not there.
func (s *Suite) check(ctx context.Context, c *Check) Verdict {
	for _, need := range []struct {
		need   need
		met    func() bool
		kind   Kind
		reason Reason
	}{
		{aSecret, func() bool { return s.options.Secret != "" }, Skip, NoSecret},
		{aCounter, func() bool { return s.options.Count != nil }, Skip, NoCounter},
		{aStraight, func() bool { return !s.proxied() }, Skip, Proxied},
		{0, func() bool { return !s.gone }, Blocked, Gone},
		{0, func() bool { return !s.silent() }, Blocked, Silent},
		{aWelcome, func() bool { return !s.asksWelcome || !s.refusesAll(ctx) }, Blocked, NotAccepted},
		{anEvent, func() bool { return !s.refusesAll(ctx) }, Blocked, NotAccepted},
		{anEvent, func() bool { return len(s.good(ctx)) > 0 }, Blocked, NotAcknowledged},
		{aVerifier, func() bool { return s.isVerifier(ctx) }, Blocked, NotVerified},
		{aRepeat, func() bool { return len(s.repeatable(ctx)) > 0 }, Blocked, NotRepeatable},
	} {
		if c.needs&need.need == need.need && !need.met() {
			return Verdict{Kind: need.kind, Reason: need.reason}
		}
	}
	v := c.run(ctx, s)
	if c.needs&anEvent != 0 {
		for _, t := range s.types {
			if !s.isGood(ctx, t) {
				v.Without = append(v.Without, t.typ.Name)
			}
		}
	}
	return v
}

// silent reports whether the handler has never answered, and was asked often
// enough.
func (s *Suite) silent() bool { return !s.answered && s.silence >= maxSilence }

// send makes one delivery, which is named for reports.
func (s *Suite) send(ctx context.Context, d delivery) *exchange {
	o := s.client.Do(ctx, d.request(s))
	s.heard(&o)
	return &exchange{sent: d.what, outcome: o}
}

// heard remembers whether the handler answers at all.
func (s *Suite) heard(o *deliver.Outcome) {
	switch o.Class {
	case deliver.Timeout:
		s.silence++
	case deliver.Canceled:
	default:
		s.answered = true
	}
}

// An exchange is a delivery and what came of it.
type exchange struct {
	sent    string
	outcome deliver.Outcome
}

// A want says whether an answer is right.
type want func(*deliver.Outcome) bool

// acknowledged wants a 2xx status.
func acknowledged(o *deliver.Outcome) bool { return o.OK() }

// survived wants any answer but a 5xx status.
func survived(o *deliver.Outcome) bool {
	return o.Err == nil && o.Status < http.StatusInternalServerError
}

// refused wants a 4xx status that does not make a sender try again.
func refused(o *deliver.Outcome) bool {
	return o.Err == nil && o.Status/100 == 4 && o.Status != http.StatusTooManyRequests
}

// judge makes a verdict of exchanges.
func judge(want want, exchanges ...*exchange) Verdict {
	v := Verdict{Kind: Pass}
	for _, e := range exchanges {
		good := want(&e.outcome)
		if !good {
			v.Bad++
		}
		if v.Kind == Pass {
			v.Sent, v.Outcome = e.sent, &e.outcome
			if !good {
				v.Kind = Fail
			}
		}
		v.Deliveries++
		v.Slowest = max(v.Slowest, e.outcome.Latency)
		if !slices.Contains(v.Statuses, e.outcome.Status) {
			v.Statuses = append(v.Statuses, e.outcome.Status)
		}
	}
	slices.Sort(v.Statuses)
	if len(exchanges) == 0 {
		v.Kind, v.Reason = Skip, Nothing
	}
	return v
}

// expect makes deliveries one after the other. A handler that does not answer one
// in time is not asked for the rest.
func (s *Suite) expect(ctx context.Context, want want, deliveries func(yield func(delivery) bool)) Verdict {
	var exchanges []*exchange
	for d := range deliveries {
		e := s.send(ctx, d)
		exchanges = append(exchanges, e)
		if e.outcome.Class == deliver.Timeout || e.outcome.Class == deliver.Refused || ctx.Err() != nil {
			break
		}
	}
	return judge(want, exchanges...)
}

// atOnce makes deliveries at the same time.
func (s *Suite) atOnce(ctx context.Context, want want, deliveries []delivery) Verdict {
	outcomes := make([]deliver.Outcome, len(deliveries))
	requests := make([]*webhook.Delivery, len(deliveries))
	for i, d := range deliveries {
		requests[i] = d.request(s)
	}
	done := make(chan struct{})
	for i := range deliveries {
		go func() {
			outcomes[i] = s.client.Do(ctx, requests[i])
			done <- struct{}{}
		}()
	}
	for range deliveries {
		<-done
	}
	exchanges := make([]*exchange, len(deliveries))
	for i := range deliveries {
		exchanges[i] = &exchange{deliveries[i].what, outcomes[i]}
		s.heard(&outcomes[i])
	}
	return judge(want, exchanges...)
}

// asIs returns what came of a type whose sample was delivered with new ids, which
// is done once.
func (s *Suite) asIs(ctx context.Context, t *subject) *exchange {
	if e := s.plain[t]; e != nil {
		return e
	}
	e := s.send(ctx, s.event(t, t.typ.Name, s.fresh(t)))
	if ctx.Err() == nil {
		s.plain[t] = e
	}
	return e
}

func (s *Suite) isGood(ctx context.Context, t *subject) bool {
	return !s.silent() && acknowledged(&s.asIs(ctx, t).outcome)
}

// good returns the types that are acknowledged as they are: the others have a
// check of their own that fails, and no other check has to.
func (s *Suite) good(ctx context.Context) []*subject {
	var good []*subject
	for _, t := range s.types {
		if s.isGood(ctx, t) {
			good = append(good, t)
		}
	}
	return good
}

// maxRefused is how many types in a row are refused by a handler that refuses
// good signatures altogether.
const maxRefused = 3

// refusesAll reports whether the handler refuses what is signed well.
func (s *Suite) refusesAll(ctx context.Context) bool {
	if s.options.Secret == "" {
		return false
	}
	first := s.types[:min(len(s.types), maxRefused)]
	return !slices.ContainsFunc(first, func(t *subject) bool { return !unauthorized(&s.asIs(ctx, t).outcome) })
}

// unauthorized reports whether an answer may be about the sender: it is a 4xx that
// is not about the path, the method or the form of the request.
func unauthorized(o *deliver.Outcome) bool {
	switch o.Status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return false
	}
	return refused(o)
}

// isVerifier reports whether the handler refuses the signature of another key.
func (s *Suite) isVerifier(ctx context.Context) bool { return refused(&s.forgery(ctx).outcome) }

// forgery returns what came of an event with the signature of another key, which
// is delivered once.
func (s *Suite) forgery(ctx context.Context) *exchange {
	if s.forged == nil {
		t := s.good(ctx)[0]
		d := s.event(t, t.typ.Name+", signed with another secret", s.fresh(t))
		d.sign = func(event string, now time.Time) map[string]string {
			return signature.Headers(s.options.Secret+"x", s.options.Registered, event, now)
		}
		s.forged = s.send(ctx, d)
	}
	return s.forged
}

// duplicate returns what came of a delivery that was made for the second time,
// which is done once for each type.
func (s *Suite) duplicate(ctx context.Context, t *subject) *exchange {
	if e := s.repeat[t]; e != nil {
		return e
	}
	d := s.event(t, t.typ.Name, s.fresh(t))
	if first := s.send(ctx, d); !acknowledged(&first.outcome) {
		s.repeat[t] = first
		return first
	}
	d.what += ", for the second time"
	s.repeat[t] = s.send(ctx, d)
	return s.repeat[t]
}

// repeatable returns the types whose duplicate is acknowledged.
func (s *Suite) repeatable(ctx context.Context) []*subject {
	return slices.DeleteFunc(s.good(ctx), func(t *subject) bool { return !acknowledged(&s.duplicate(ctx, t).outcome) })
}

// Select returns the checks that one of the patterns of only selects, or all when
// there are none, without those that a pattern of skip selects. An error is about
// a pattern that selects nothing, or that cannot be read.
func Select(checks []*Check, only, skip []string) ([]*Check, error) {
	for _, pattern := range slices.Concat(only, skip) {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return nil, fmt.Errorf("%q is no pattern of checks", pattern)
		}
		if !slices.ContainsFunc(checks, func(c *Check) bool { return c.Matches(pattern) }) {
			return nil, fmt.Errorf("no check is %q", pattern)
		}
	}
	var selected []*Check
	for _, c := range checks {
		matches := func(pattern string) bool { return c.Matches(pattern) }
		if (len(only) == 0 || slices.ContainsFunc(only, matches)) && !slices.ContainsFunc(skip, matches) {
			selected = append(selected, c)
		}
	}
	return selected, nil
}

// Groups returns the groups of the checks, in their order.
func Groups(checks []*Check) []string {
	var groups []string
	for _, c := range checks {
		if !slices.Contains(groups, c.Group) {
			groups = append(groups, c.Group)
		}
	}
	return groups
}

// A Summary counts verdicts.
type Summary struct {
	Checks  int `json:"checks"`
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Blocked int `json:"blocked"`
	Notes   int `json:"notes"`
	Skipped int `json:"skipped"`
}

// Add counts a verdict.
func (s *Summary) Add(v *Verdict) {
	s.Checks++
	switch v.Kind {
	case Pass:
		s.Passed++
	case Fail:
		s.Failed++
	case Note:
		s.Notes++
	case Skip:
		s.Skipped++
	case Blocked:
		s.Blocked++
	}
}

// OK reports whether nothing failed, and everything that was asked could be asked.
func (s *Summary) OK() bool { return s.Failed == 0 && s.Blocked == 0 }

// join writes a path for people.
func join(names []string) string { return strings.Join(names, ".") }
