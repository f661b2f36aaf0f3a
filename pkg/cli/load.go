package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"github.com/jc-webhooks/jc-webhooks/pkg/load"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/signature"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// loadOptions are what the flags fill that make a load test of send.
type loadOptions struct {
	on          bool // one of the flags was given
	zero        bool // one of them as 0
	rate        rate
	duration    time.Duration
	count       int
	concurrency int
	failIf      []string
	remote      bool
	printFor    string
}

const (
	defaultLoad = 10 * time.Second     // when nothing says how long
	maxLoad     = 30 * 24 * time.Hour  // of --duration
	maxWeight   = 10_000               // of an event
	minRate     = 1.0 / (24 * 60 * 60) // per second
)

// The engines for which targets can be printed.
var engines = []string{"vegeta", "k6"}

func loadFlags(cmd *cobra.Command, o *loadOptions) {
	f := cmd.Flags()
	f.Var(&o.rate, "rate", "send at this steady `rate`, such as 500/s, with fresh ids; latency counts\nfrom when a request was due")
	f.DurationVar(&o.duration, "duration", 0, "for this long (default "+defaultLoad.String()+" without --count)")
	f.IntVar(&o.count, "count", 0, "this many")
	f.IntVar(&o.concurrency, "concurrency", 0, "over this many connections (default "+strconv.Itoa(load.DefaultConcurrency)+")")
	f.StringArrayVar(&o.failIf, "fail-if", nil, "end with 1 if this `gate` fails, such as 'p99>200ms', 'errors>1%', 'rate<95%' (repeatable)")
	f.BoolVar(&o.remote, "yes-load-remote", false, "load a host that is not this machine, and that you may load")
	f.Var(&enum{value: &o.printFor, allowed: engines}, "print", "print targets for vegeta, or a script for k6, and send nothing")
	complete(cmd, "print", engines...)
}

// A rate is a flag for a number of requests per second: 500, 500/s, 30000/m.
type rate float64

func (r *rate) String() string {
	if *r == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(*r), 'g', -1, 64) + "/s"
}

// Type is what help shows for the value.
func (*rate) Type() string { return "rate" }

// Set reads a rate.
func (r *rate) Set(text string) error {
	number, unit, _ := strings.Cut(text, "/")
	per, ok := map[string]float64{"": 1, "s": 1, "m": 60, "h": 3600}[unit]
	x, err := strconv.ParseFloat(number, 64)
	if err != nil || !ok || !(x/per >= minRate) || x/per > load.MaxRate {
		return errors.New("want a rate such as 500/s or 30000/m, one a day at least")
	}
	*r = rate(x / per)
	return nil
}

// loadSwitches are the flags that make a load test of send.
var loadSwitches = []string{"rate", "duration", "count", "concurrency", "print"}

// mix reads NAME[=WEIGHT] arguments, if it is a load test.
func (o *loadOptions) mix(args []string) (names []string, weights []int, err error) {
	if !o.on {
		if len(o.failIf) > 0 {
			return nil, nil, usage("it is one with --rate, --duration, --count or --concurrency", "--fail-if is about a load test")
		}
		return args, nil, nil
	}
	for _, arg := range args {
		name, number, ok := strings.Cut(arg, "=")
		weight := 1
		if ok {
			if weight, err = strconv.Atoi(number); err != nil || weight < 1 || weight > maxWeight {
				return nil, nil, usage("events are mixed like `"+program+" send --rate 500/s "+name+"=5`", "the weight of %q is not a number from 1 to %d", arg, maxWeight)
			}
		}
		names, weights = append(names, name), append(weights, weight)
	}
	return names, weights, nil
}

// check finds what does not go together with a load test.
func (o *loadOptions) check(send *sendOptions, target *url.URL) ([]load.Gate, error) {
	d := &send.delivery
	switch {
	case d.retries != noRetries, send.order.scenario != "", send.order.shuffle, send.order.duplicate > 0, d.dryRun, d.curl:
		return nil, usage("leave out --rate, --duration, --count and --concurrency, or the other one",
			"a load test knows no --retries, --scenario, --shuffle, --duplicate, --dry-run and --curl")
	case o.duration < 0 || o.duration > maxLoad || o.count < 0 || o.concurrency < 0 || o.concurrency > load.MaxConcurrency || o.zero:
		return nil, usage("", "--count is above 0, --duration above 0 and up to %v, and --concurrency 1 to %d", maxLoad, load.MaxConcurrency)
	case !o.remote && o.printFor == "" && !isThisMachine(target.Hostname()):
		return nil, usage("--yes-load-remote says that you may load it", "%s is not this machine", target.Hostname())
	}
	var gates []load.Gate
	for _, text := range o.failIf {
		g, err := load.ParseGate(text)
		if err == nil {
			err = g.Check(load.Options{Rate: float64(o.rate)})
		}
		if err != nil {
			return nil, usage("it is written --fail-if 'p99>200ms', 'errors>1%' or 'rate<95%'", "%w", err)
		}
		gates = append(gates, g)
	}
	return gates, nil
}

func isThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// load runs a load test with the events, of which each has a weight.
func (a *app) load(ctx context.Context, s *sender, checker *validate.Checker, events []event, weights []int, o *sendOptions) error {
	gates, err := o.load.check(o, s.target)
	if err != nil {
		return err
	}
	set, err := a.parseChanges(&o.changes)
	if err != nil {
		return err
	}
	mix := &mixture{sender: s, weights: weights}
	for i := range events {
		if e := &events[i]; e.typ != nil && e.fields == nil {
			if e.fields, err = fields(checker, e.typ); err != nil {
				return err
			}
		}
		mix.templates = append(mix.templates, newTemplate(&events[i], eventType(checker, &events[i]), set.sets))
		mix.total += weights[i]
	}
	if o.load.printFor != "" {
		return mix.print(o)
	}
	l := load.Options{
		URL: s.target, Header: s.header, UserAgent: userAgent(), Rate: float64(o.load.rate), Duration: o.load.duration, Count: o.load.count,
		Concurrency: o.load.concurrency, Timeout: o.delivery.timeout, Insecure: o.delivery.insecure, Next: mix.next,
	}
	if l.Concurrency == 0 {
		l.Concurrency = load.DefaultConcurrency
	}
	if l.Duration == 0 && l.Count == 0 {
		l.Duration = defaultLoad
	}
	mix.workers = make([]mixer, l.Concurrency)
	var far load.Snapshot
	p := a.progress(func() string {
		return fmt.Sprintf("%s: %d sent, %d not acknowledged, %d waiting", report.Duration(far.Elapsed), far.Sent, far.Sent-far.OK, far.Waiting)
	})
	l.Progress = func(now load.Snapshot) {
		far = now
		p.update()
	}
	a.drains.Store(true) // what was measured is told after Ctrl-C, too
	a.say("%s", a.err.Faint(loadPlan(&l)))
	summary, err := load.Run(ctx, l)
	p.clear()
	if err != nil {
		return usage("", "%w", err)
	}
	failed, err := a.tellLoad(summary, gates, o.delivery.asJSON)
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return context.Canceled
	case failed, len(gates) == 0 && (summary.OK < summary.Sent || summary.Dropped > 0):
		return errBad
	}
	return nil
}

// loadPlan says what a load test is about to do.
func loadPlan(o *load.Options) string {
	plan := "as fast as can be"
	if o.Rate > 0 {
		plan = strconv.FormatFloat(o.Rate, 'f', -1, 64) + "/s"
	}
	if o.Count > 0 {
		plan += ", " + report.Deliveries(o.Count)
	}
	if o.Duration > 0 {
		plan += ", for " + report.Duration(o.Duration)
	}
	return fmt.Sprintf("loading %s: %s, over up to %s", report.Safe(o.URL.Redacted()), plan, report.Count(o.Concurrency, "connection"))
}

// tellLoad writes what was measured, and reports whether a gate has failed.
func (a *app) tellLoad(s *load.Summary, gates []load.Gate, asJSON bool) (failed bool, err error) {
	results := []report.GateResult{}
	for _, g := range gates {
		bad, got := g.Failed(s)
		failed = failed || bad
		results = append(results, report.GateResult{Gate: g.String(), Failed: bad, Got: got})
	}
	if asJSON {
		return failed, a.writeLine(report.LoadJSON(s, results))
	}
	fmt.Fprint(a.stdout, a.out.Load(s, results))
	return failed, nil
}

// A mixture chooses the payloads of a load test.
type mixture struct {
	sender    *sender
	templates []*template
	weights   []int
	total     int
	workers   []mixer
}

// A mixer is what one worker needs to make payloads without waiting for others.
type mixer struct {
	chance *rand.Rand
	bodies [][]byte // by template, made when first needed
	second int64    // for which stamp was written
	stamp  []byte
	_      [64]byte // apart from those of other workers, in the processor's cache
}

// next makes the next payload of a worker.
func (m *mixture) next(worker int) load.Request {
	w := &m.workers[worker]
	if w.chance == nil {
		w.chance = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // ids that look different, and no secrets
		w.bodies = make([][]byte, len(m.templates))
	}
	i := 0
	if len(m.templates) > 1 {
		for at := w.chance.IntN(m.total); at >= m.weights[i]; i++ {
			at -= m.weights[i]
		}
	}
	t := m.templates[i]
	if w.bodies[i] == nil {
		w.bodies[i] = slices.Clone(t.body)
	}
	body := w.bodies[i]
	now := m.sender.app.env.Now()
	if second := now.Unix(); second != w.second || w.stamp == nil {
		w.second, w.stamp = second, now.UTC().AppendFormat(w.stamp[:0], timestampFormat)
	}
	for _, at := range t.stamps {
		copy(body[at:], w.stamp)
	}
	for _, id := range t.ids {
		id.renew(body, w.chance)
	}
	r := load.Request{Event: t.label, Body: body}
	if s := m.sender; s.secret != "" {
		r.Header = map[string]string{}
		for name, value := range signature.Fault(s.options.fault).Headers(s.secret, s.signedURL(&webhook.Delivery{URL: s.target.String()}), t.event, now) {
			if s.header[name] == nil {
				r.Header[name] = value
			}
		}
	}
	return r
}

// A template is a payload with the places of what is new in each request.
type template struct {
	event  string // the event type, as it is signed
	label  string // by which it is counted
	body   []byte
	stamps []int // where the present time stands
	ids    []identity
}

// An identity is the places at which one id stands.
type identity struct {
	places []int
	length int
	number bool
}

// longID is as many digits as a number of an id has under load, so that no two
// payloads have the same one: exact as a float, too.
const longID = 15

// newTemplate finds the places of a payload, which are those that --fresh changes,
// but for the fields that were set.
func newTemplate(e *event, name string, set []assignment) *template {
	t := &template{event: name, label: e.name, body: slices.Clone(e.body)}
	if !json.Valid(e.body) {
		return t
	}
	wasSet := func(f schema.Field) bool {
		return slices.ContainsFunc(set, func(s assignment) bool { return slices.Equal(s.path, f.Path) })
	}
	longer := map[string]string{}
	for _, f := range e.fields {
		old := gjson.GetBytes(t.body, sjsonPath(f.Path))
		if !isID(f) || wasSet(f) || !isNumber(old) || len(old.Raw) >= longID {
			continue
		}
		if longer[old.Raw] == "" {
			longer[old.Raw] = fmt.Sprintf("1%0*d", longID-1, len(longer))
		}
		if body, err := (assignment{path: f.Path, raw: longer[old.Raw]}).apply(t.body); err == nil {
			t.body = body
		}
	}
	index := map[string]int{}
	for _, f := range e.fields {
		old := gjson.GetBytes(t.body, sjsonPath(f.Path))
		switch {
		case !old.Exists() || old.Index == 0 || wasSet(f):
		case f.Format == "date-time" && len(old.Raw) == len(timestampFormat)+2:
			t.stamps = append(t.stamps, old.Index+1)
		case isID(f) && (isNumber(old) || old.Type == gjson.String && !strings.Contains(old.Raw, `\`)):
			number := old.Type == gjson.Number
			// The prefix of an id, up to its last underscore, stays.
			skip := strings.LastIndexByte(old.Raw, '_') + 1
			if skip == 0 && !number {
				skip = 1
			}
			length := len(strings.TrimSuffix(old.Raw, `"`)) - skip
			i, known := index[old.Raw]
			if !known {
				i = len(t.ids)
				index[old.Raw] = i
				t.ids = append(t.ids, identity{length: length, number: number})
			}
			t.ids[i].places = append(t.ids[i].places, old.Index+skip)
		}
	}
	return t
}

// isNumber reports whether a value is a number that is written in digits.
func isNumber(v gjson.Result) bool {
	return v.Type == gjson.Number && strings.Trim(v.Raw, "0123456789") == ""
}

// renew writes another id: each digit becomes a digit, and each letter a letter.
func (id *identity) renew(body []byte, chance *rand.Rand) {
	first := body[id.places[0]:][:id.length]
	var random uint64
	for i, c := range first {
		if i%8 == 0 {
			random = chance.Uint64()
		}
		n := byte(random)
		random >>= 8
		switch {
		case c >= '0' && c <= '9':
			if first[i] = '0' + n%10; id.number && i == 0 {
				first[i] = '1' + n%9
			}
		case c >= 'a' && c <= 'z':
			first[i] = 'a' + n%26
		case c >= 'A' && c <= 'Z':
			first[i] = 'A' + n%26
		}
	}
	for _, at := range id.places[1:] {
		copy(body[at:], first)
	}
}
