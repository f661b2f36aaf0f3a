package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/listen"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// forwardOptions are what the flags about forwarding fill.
type forwardOptions struct {
	to       []string
	relay    bool
	timeout  time.Duration
	insecure bool
}

func forwardFlags(cmd *cobra.Command, o *forwardOptions) {
	f := cmd.Flags()
	f.StringArrayVar(&o.to, "forward-to", nil, "send each request on to this `[PATTERN=]URL`, such as 3000 or\n'call.*=localhost:3000/calls' (repeatable)")
	f.BoolVar(&o.relay, "relay", false, "answer the sender with the status and body of the first target\nthat takes the event; 502 or 504 when it gives none")
	f.DurationVar(&o.timeout, "forward-timeout", deliver.DefaultTimeout, "how long a target may take")
	f.BoolVar(&o.insecure, "insecure", false, "accept any certificate of a target")
}

const (
	inFlight     = 8               // deliveries to one target at a time
	forwardDrain = 5 * time.Second // for what waits at the end
	maxRelayed   = 4 << 20         // bytes of a body that is relayed
	maxLostRuns  = 20              // ranges of ids that are told apart
	maxShownBody = 2 << 10         // bytes of a response that are shown
)

// A target is somebody to whom deliveries are sent on.
type target struct {
	pattern string // empty for everything
	url     *url.URL
	name    string // the URL without a password
	queue   *listen.Queue

	mu         sync.Mutex
	sent, good int
	lost       int
	runs       [][2]uint64 // ids of the lost ones
}

func (t *target) takes(event string) bool { return t.pattern == "" || matches(t.pattern, event) }

// A forwarder sends deliveries on. Its targets do not wait for one another, and
// nobody waits for them but a sender whose delivery is relayed.
type forwarder struct {
	app     *app
	checker *validate.Checker
	targets []*target
	routed  bool // some target has a pattern
	relays  bool
	via     string // tells our own deliveries when they come back
	client  *deliver.Client
	told    func(*forwarded) // of each begin and end, by several goroutines

	relayClient *deliver.Client // which keeps more of a response

	workers sync.WaitGroup
	stop    context.CancelFunc
}

// A forwarded is one delivery to a target, before or after it was made.
type forwarded struct {
	id     uint64
	target int
	at     time.Time
	replay bool // asked for in the inspector
	edited bool
	begun  bool // it is about to be made
	sent   report.Sent
}

// forwarder reads the flags; it is nil when there are no targets.
func (a *app) forwarder(c *webhook.Catalog, checker *validate.Checker, o *forwardOptions) (*forwarder, error) {
	if len(o.to) == 0 {
		if o.relay || o.insecure {
			return nil, usage("name a target with --forward-to", "--relay and --insecure are about targets, and there are none")
		}
		return nil, nil
	}
	if o.timeout <= 0 {
		return nil, usage("a time looks like 500ms or 10s", "the timeout %v is not above 0", o.timeout)
	}
	f := &forwarder{app: a, checker: checker, relays: o.relay, via: program + "-" + randomName()}
	options := deliver.Options{Timeout: o.timeout, UserAgent: userAgent(), Insecure: o.insecure}
	f.client = deliver.NewClient(options)
	options.MaxResponse = maxRelayed
	f.relayClient = deliver.NewClient(options)
	for _, text := range o.to {
		t := new(target)
		if pattern, rest, ok := strings.Cut(text, "="); ok {
			err := checkPattern(c, pattern, "it is written --forward-to 'call.*=localhost:3000/calls'")
			switch {
			case err == nil:
				t.pattern, text = pattern, rest
				f.routed = true
			case !strings.ContainsAny(pattern, ":/"): // else it is a URL with a query
				return nil, err
			}
		}
		var err error
		if t.url, err = deliver.ParseURL(text); err != nil {
			return nil, usage("a target looks like 3000, localhost:3000/hooks or 'call.*=localhost:3000/calls'", "%w", err)
		}
		t.name = t.url.Redacted()
		t.queue = listen.NewQueue()
		t.queue.Lost = func(d *webhook.Delivery, _ error) {
			if t.lose(d.ID) == 1 {
				a.say("%s %s is slower than what arrives: some deliveries are not sent on to it", a.err.Note("warning:"), report.Safe(t.name))
			}
		}
		f.targets = append(f.targets, t)
	}
	return f, nil
}

func randomName() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// lose notes that a delivery was not sent on, and returns how many were not.
func (t *target) lose(id uint64) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost++
	t.runs = addRun(t.runs, id)
	return t.lost
}

// addRun adds an id to ascending ranges of ids. When there are too many of them,
// the two that are nearest to each other become one.
func addRun(runs [][2]uint64, id uint64) [][2]uint64 {
	i, found := slices.BinarySearchFunc(runs, id, func(run [2]uint64, id uint64) int {
		switch {
		case run[1]+1 < id:
			return -1
		case run[0] > id+1:
			return 1
		}
		return 0 // in it, or beside it
	})
	if !found {
		runs = slices.Insert(runs, i, [2]uint64{id, id})
	}
	runs[i] = [2]uint64{min(runs[i][0], id), max(runs[i][1], id)}
	if i+1 < len(runs) && runs[i+1][0] <= runs[i][1]+1 {
		runs = mergeRuns(runs, i)
	}
	if len(runs) > maxLostRuns {
		nearest := 0
		for j := range len(runs) - 1 {
			if runs[j+1][0]-runs[j][1] < runs[nearest+1][0]-runs[nearest][1] {
				nearest = j
			}
		}
		runs = mergeRuns(runs, nearest)
	}
	return runs
}

// mergeRuns makes one of two ranges that follow each other.
func mergeRuns(runs [][2]uint64, i int) [][2]uint64 {
	runs[i][1] = max(runs[i][1], runs[i+1][1])
	return slices.Delete(runs, i+1, i+2)
}

// event returns the type of a payload, for routing.
func (f *forwarder) event(d *webhook.Delivery) string {
	if !f.routed {
		return ""
	}
	return f.checker.Check(d.Body).Event
}

// looped reports whether a delivery is one that was sent on from here.
func (f *forwarder) looped(d *webhook.Delivery) bool { return deliver.HasVia(d.Header, f.via) }

// first returns the target that a delivery is relayed to, or -1.
func (f *forwarder) first(event string) int {
	if !f.relays {
		return -1
	}
	return slices.IndexFunc(f.targets, func(t *target) bool { return t.takes(event) })
}

// sink queues a delivery for its targets. What was refused is not sent on: the
// sender will try again. What is relayed is queued for the others by relay.
func (f *forwarder) sink(ctx context.Context, d *webhook.Delivery) error {
	event := f.event(d)
	if f.first(event) < 0 && acknowledged(d) {
		f.queue(ctx, d, event, -1)
	}
	return nil
}

// queue queues a delivery for the targets that take it, but for one.
func (f *forwarder) queue(ctx context.Context, d *webhook.Delivery, event string, but int) {
	for i, t := range f.targets {
		if i != but && t.takes(event) {
			_ = t.queue.Put(ctx, d) // it never fails
		}
	}
}

// start begins to send on what is queued, and to look whether the targets are
// there.
func (f *forwarder) start(ctx context.Context) {
	ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	for i, t := range f.targets {
		what := "everything"
		if t.pattern != "" {
			what = t.pattern
		}
		f.app.say("%s", f.app.err.Faint(fmt.Sprintf("forwarding %s to %s", what, report.Safe(t.name))))
		f.workers.Go(func() { f.work(ctx, i) })
		go f.watch(ctx, t)
	}
}

// end gives what waits some seconds and says what came of it all.
func (f *forwarder) end(captured string) {
	for _, t := range f.targets {
		t.queue.Close()
	}
	timer := time.AfterFunc(forwardDrain, f.stop)
	f.workers.Wait()
	timer.Stop()
	f.stop()
	for _, t := range f.targets {
		line := fmt.Sprintf("forwarded %s to %s, %d acknowledged", report.Count(t.sent, "request"), report.Safe(t.name), t.good)
		if t.lost == 0 {
			f.app.say("%s", line)
			continue
		}
		f.app.say("%s; %s", line, f.app.err.Bad(strconv.Itoa(t.lost)+" not sent on"))
		if captured != "" {
			ids := make([]string, len(t.runs))
			for i, run := range t.runs {
				ids[i] = fmt.Sprintf("--id %d-%d", run[0], run[1])
			}
			var files []string
			for _, file := range capture.Files(captured) {
				files = append(files, report.Quote(file))
			}
			f.app.hint(fmt.Sprintf("%s replay %s %s --to %s", program, strings.Join(files, " "), strings.Join(ids, " "), report.Quote(t.name)))
		}
	}
}

// work sends on what is queued for one target.
func (f *forwarder) work(ctx context.Context, i int) {
	t := f.targets[i]
	slots := make(chan struct{}, inFlight)
	var making sync.WaitGroup
	_ = t.queue.Each(func(batch []*webhook.Delivery) error { // a queue without a spill does not fail
		for _, d := range batch {
			slots <- struct{}{}
			if ctx.Err() != nil {
				t.lose(d.ID)
				<-slots
				continue
			}
			making.Go(func() {
				defer func() { <-slots }()
				one, outgoing := f.begin(i, d)
				f.tellBegun(one)
				f.send(ctx, f.client, one, outgoing)
				if one.sent.Outcome.Class == deliver.Canceled {
					t.lose(d.ID)
				}
				f.tell(one)
			})
		}
		return nil
	})
	making.Wait()
}

// tell tells what is known, without more of the response than is shown: it may
// wait for a while.
func (f *forwarder) tell(one *forwarded) {
	shown := *one
	o := &shown.sent.Outcome
	o.Body = bytes.Clone(o.Body[:min(len(o.Body), maxShownBody)])
	f.told(&shown)
}

// tellBegun tells that a delivery is about to be made.
func (f *forwarder) tellBegun(one *forwarded) {
	begun := *one
	begun.begun = true
	f.tell(&begun)
}

// begin makes the request of a delivery that is sent on, and says what is known of
// it before.
func (f *forwarder) begin(i int, d *webhook.Delivery) (one *forwarded, outgoing *webhook.Delivery) {
	outgoing = deliver.Forwarded(d, f.targets[i].url)
	deliver.AddVia(outgoing.Header, f.via)
	event := f.checker.Check(d.Body).Event
	if d.Method != http.MethodPost {
		event = d.Method
	}
	sent := report.Sent{Event: event, URL: redacted(outgoing.URL), Bytes: len(d.Body)}
	return &forwarded{id: d.ID, target: i, at: f.app.env.Now(), sent: sent}, outgoing
}

// send makes the request and waits for what comes of it.
func (f *forwarder) send(ctx context.Context, client *deliver.Client, one *forwarded, outgoing *webhook.Delivery) {
	one.sent.Outcome = client.Do(ctx, outgoing)
	t := f.targets[one.target]
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent++
	if one.sent.Outcome.OK() {
		t.good++
	}
}

// relay sends a delivery on and makes the answer of what comes of it; ok is
// false when no target takes it.
func (f *forwarder) relay(ctx context.Context, d *webhook.Delivery) (answer listen.Answer, ok bool) {
	event := f.event(d)
	i := f.first(event)
	if i < 0 {
		return answer, false
	}
	// A sender that has left is no reason to cut the target short.
	one, outgoing := f.begin(i, d)
	f.send(context.WithoutCancel(ctx), f.relayClient, one, outgoing)
	o := &one.sent.Outcome
	var passed bool
	if answer.Status, passed = o.Gateway(); passed {
		answer.Header, answer.Body = http.Header(deliver.EndToEnd(o.Header)), append([]byte{}, o.Body...)
	}
	answer.Taken = func(d *webhook.Delivery, err error) {
		one.id = d.ID
		f.tellBegun(one)
		f.tell(one)
		if err == nil {
			f.queue(ctx, d, event, i)
		}
	}
	return answer, true
}

// How often it is looked whether a target is there.
const (
	watchPause   = 10 * time.Second
	missingPause = time.Second
	dialTimeout  = 2 * time.Second
)

// watch looks whether a target accepts connections and says when that changes.
// It makes no request, which would be one more than the sender's.
func (f *forwarder) watch(ctx context.Context, t *target) {
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: t.url}); err != nil || proxy != nil {
		return
	}
	port := t.url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[t.url.Scheme]
	}
	address := net.JoinHostPort(t.url.Hostname(), port)
	dialer := net.Dialer{Timeout: dialTimeout}
	there := true
	for {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			_ = conn.Close()
		}
		if (err == nil) != there {
			there = err == nil
			if there {
				f.app.say("%s %s is there now", f.app.err.Good("ok:"), report.Safe(t.name))
			} else {
				f.app.say("%s %s is not there: %s", f.app.err.Note("warning:"), report.Safe(t.name), report.Safe(report.NetworkCause(err).Error()))
			}
		}
		pause := watchPause
		if !there {
			pause = missingPause
		}
		if sleep(ctx, pause) != nil {
			return
		}
	}
}
