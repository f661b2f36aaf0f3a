package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// sendOptions are what the flags of send fill.
type sendOptions struct {
	all      bool
	file     string
	order    orderOptions
	load     loadOptions
	changes  changeOptions
	delivery deliveryOptions
}

// changeOptions are what the flags fill that change payloads.
type changeOptions struct {
	set, setString []string
	setNew, fresh  bool
}

// changeFlags defines these flags.
func (a *app) changeFlags(cmd *cobra.Command, o *changeOptions) {
	f := cmd.Flags()
	f.StringArrayVar(&o.set, "set", nil, "set a field, as `PATH=VALUE` (data.duration=42); a value that is JSON is\ntaken as JSON, any other as a string (repeatable)")
	f.StringArrayVar(&o.setString, "set-string", nil, "like --set, `PATH=VALUE`, and the value is always a string (repeatable)")
	f.BoolVar(&o.setNew, "set-new", false, "let --set add a field that the event does not have")
	f.BoolVar(&o.fresh, "fresh", false, "give the events new ids and the present time")
	must(cmd.RegisterFlagCompletionFunc("set", a.completeFields))
	must(cmd.RegisterFlagCompletionFunc("set-string", a.completeFields))
}

// maxFile is the longest payload that --file sends, in bytes.
const maxFile = 64 << 20

func (a *app) sendCommand() *cobra.Command {
	var o sendOptions
	cmd := &cobra.Command{
		Use:   "send NAME...",
		Short: "POST sample events to a URL",
		Long: fmt.Sprintf(`POST the sample of each named event type to a URL, in turn, byte for byte.

Without --to they go to $JC_WEBHOOKS_TO, else to %s, where listen is.
The exit code is 1 when a delivery was not acknowledged with a 2xx status.
Redirects are reported and not followed.`, defaultURL),
		Example: examples(`  jc-webhooks send {2}
  jc-webhooks send {1} {2} --fresh --to localhost:3000/hooks
  jc-webhooks send {2} --set data.duration=42 --set data.agent_id=null
  jc-webhooks send --file payload.json --to 3000
  jc-webhooks send --scenario missed-call --speed 10x --to 3000
  jc-webhooks send --all --retries developer --retry-speed 60x --to 3000
  jc-webhooks send {2}=5 {1} --rate 500/s --duration 30s --fail-if 'p99>200ms' --to 3000`),
		ValidArgsFunction: a.completeEvents,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.order.seeded = cmd.Flags().Changed("seed")
			o.load.on = slices.ContainsFunc(loadSwitches, cmd.Flags().Changed)
			for name, zero := range map[string]bool{"count": o.load.count == 0, "duration": o.load.duration == 0, "concurrency": o.load.concurrency == 0} {
				o.load.zero = o.load.zero || zero && cmd.Flags().Changed(name)
			}
			return a.send(cmd.Context(), args, o)
		},
	}
	f := cmd.Flags()
	flagGroup(cmd, "What is sent", func() {
		f.BoolVar(&o.all, "all", false, "send every event type")
		f.StringVar(&o.file, "file", "", "send the payload in this `file`, or - for standard input, as it is")
		a.changeFlags(cmd, &o.changes)
	})
	flagGroup(cmd, "Scenarios and order", func() { a.orderFlags(cmd, &o.order) })
	flagGroup(cmd, "Load", func() { loadFlags(cmd, &o.load) })
	deliveryFlags(cmd, &o.delivery, "add a header")
	must(cmd.MarkFlagFilename("file", "json"))
	return cmd
}

// An event is a payload that is to be sent.
type event struct {
	name   string
	typ    *webhook.Type // nil where the catalog does not have it
	fields []schema.Field
	body   []byte
	at     time.Duration // from the beginning of its scenario
	number int           // tells it from the others that are sent
}

func (a *app) send(ctx context.Context, names []string, o sendOptions) error {
	s, err := a.sender(&o.delivery)
	if err != nil {
		return err
	}
	names, weights, err := o.load.mix(names)
	if err != nil {
		return err
	}
	events, checker, err := a.eventsToSend(names, o)
	if err != nil {
		return err
	}
	if o.load.on {
		for len(weights) < len(events) { // with --all or --file
			weights = append(weights, 1)
		}
		return a.load(ctx, s, checker, events, weights, &o)
	}
	bad := false
	begin := time.Now()
	for _, e := range a.arrange(events, &o.order) {
		if !s.prints() {
			if err := o.order.due(ctx, begin, &e); err != nil {
				return err
			}
		}
		ok, err := s.send(ctx, parcel{e.name, eventType(checker, &e), &webhook.Delivery{URL: s.target.String(), Header: s.header, Body: e.body}})
		if err != nil {
			return err
		}
		bad = bad || !ok
	}
	if (len(o.changes.set)+len(o.changes.setString) > 0 || o.order.scenario != "") && !s.prints() {
		a.warnInvalid(checker, events)
	}
	if bad {
		return errBad
	}
	return nil
}

// eventType is the event type that a payload names, as it is signed.
func eventType(checker *validate.Checker, e *event) string {
	r := checker.Check(e.body)
	if e.typ != nil && r.Event == e.typ.Name {
		return e.typ.Value
	}
	return r.Event
}

// redacted returns a URL without the password that may be in it.
func redacted(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Redacted()
	}
	return s
}

// printRequest prints the request as it would go over the wire.
func (a *app) printRequest(ctx context.Context, client *deliver.Client, d *webhook.Delivery) error {
	req, err := client.Request(ctx, d)
	if err != nil {
		return err
	}
	// The client turns off the compression that the dump would ask for.
	plain := req.Header.Get("Accept-Encoding") == ""
	if plain {
		req.Header.Set("Accept-Encoding", "identity")
	}
	dump, err := httputil.DumpRequestOut(req, true)
	if err != nil {
		return err
	}
	if plain {
		dump = bytes.Replace(dump, []byte("Accept-Encoding: identity\r\n"), nil, 1)
	}
	if !bytes.HasSuffix(dump, []byte("\n")) {
		dump = append(dump, '\n')
	}
	_, err = a.stdout.Write(dump)
	return err
}

func headers(lines []string) (map[string][]string, error) {
	h := map[string][]string{}
	for _, line := range lines {
		name, value, err := deliver.ParseHeader(line)
		if err != nil {
			return nil, usage("a header of your own looks like --header \"X-Test: 1\"", "%w", err)
		}
		h[name] = append(h[name], value)
	}
	return h, nil
}

// eventsToSend makes all payloads before the first is sent: what can be wrong
// with the question is found before half of it is answered.
func (a *app) eventsToSend(names []string, o sendOptions) ([]event, *validate.Checker, error) {
	c, checker, err := a.judge(validate.Options{})
	if err != nil {
		return nil, nil, err
	}
	var types []*webhook.Type
	switch given := len(names) > 0; {
	case o.order.scenario != "" && (given || o.all || o.file != ""):
		return nil, nil, usage("send them in two calls", "--scenario sends the events of a scenario, and no others")
	case o.order.seeded && !o.order.shuffle && o.order.duplicate == 0:
		return nil, nil, usage("use it with --shuffle or --duplicate", "--seed is about chance, and there is none")
	case o.order.scenario != "":
		planned, planErr := a.scenarioEvents(c, o.order.scenario, a.env.Now())
		if planErr != nil {
			return nil, nil, planErr
		}
		return a.changed(planned, checker, &o)
	case o.order.speed != 1:
		return nil, nil, usage("name one with --scenario", "--speed is about a scenario, and there is none")
	case o.all && given:
		return nil, nil, usage("", "--all sends every event type: leave out %s", strings.Join(names, " "))
	case o.file != "" && (given || o.all):
		return nil, nil, usage("send them in two calls", "--file sends a payload of yours, not a sample")
	case o.all:
		types = c.Types()
	case given:
		if types, err = lookup(c, names); err != nil {
			return nil, nil, err
		}
	case o.file == "":
		return nil, nil, usage("try `jc-webhooks send "+c.Types()[0].Name+"`, or --all", "no event type named")
	}
	var events []event
	for _, t := range types {
		events = append(events, event{name: t.Name, typ: t, body: t.Sample})
	}
	if o.file != "" {
		body, readErr := a.readFile(o.file)
		if readErr != nil {
			return nil, nil, readErr
		}
		e := event{name: fileLabel(o.file), body: body}
		if r := checker.Check(body); r.Known {
			e.name = r.Event
			e.typ, _ = c.Lookup(r.Event)
		}
		events = append(events, e)
	}
	return a.changed(events, checker, &o)
}

// changed makes the changes to events that the flags ask for.
func (a *app) changed(events []event, checker *validate.Checker, o *sendOptions) ([]event, *validate.Checker, error) {
	change, err := a.parseChanges(&o.changes)
	if err != nil || change.none() {
		return events, checker, err
	}
	for i, e := range events {
		if e.typ != nil {
			if events[i].fields, err = fields(checker, e.typ); err != nil {
				return nil, nil, err
			}
		}
	}
	if err := change.apply(a, events); err != nil {
		return nil, nil, err
	}
	return events, checker, nil
}

// changes are what --fresh, --set and --set-string ask for.
type changes struct {
	fresh  *refresher // nil when the events keep their ids and times
	sets   []assignment
	setNew bool
}

// parseChanges reads the flags.
func (a *app) parseChanges(o *changeOptions) (changes, error) {
	c := changes{setNew: o.setNew}
	if o.fresh {
		c.fresh = newRefresher(a.env.Now)
	}
	for _, list := range []struct {
		texts    []string
		asString bool
	}{{o.set, false}, {o.setString, true}} {
		for _, text := range list.texts {
			s, err := parseAssignment(text, list.asString)
			if err != nil {
				return c, usage("a field is set like --set data.duration=42", "%w", err)
			}
			c.sets = append(c.sets, s)
		}
	}
	return c, nil
}

// none reports whether there is nothing to change.
func (c *changes) none() bool { return c.fresh == nil && len(c.sets) == 0 }

// apply changes the events, whose fields must be known.
func (c *changes) apply(a *app, events []event) error {
	for i, e := range events {
		if !json.Valid(e.body) {
			return usage("", "%s is not JSON: it can be sent, but not changed", e.name)
		}
		if c.fresh != nil {
			var err error
			if events[i].body, err = c.fresh.refresh(e.body, e.fields); err != nil {
				return err
			}
		}
	}
	for _, s := range c.sets {
		if err := a.assign(events, s, c.setNew); err != nil {
			return err
		}
	}
	return nil
}

// assign sets one field in all events that have it, which must be at least one.
func (a *app) assign(events []event, s assignment, setNew bool) error {
	var without []string
	for i, e := range events {
		if !setNew && !s.matches(e.body, e.fields) {
			without = append(without, e.name)
			continue
		}
		var err error
		if events[i].body, err = s.apply(e.body); err != nil {
			return usage("", "%w", err)
		}
	}
	if len(without) == len(events) {
		near := s.nearest(events[0].body, events[0].fields)
		return usage("--set-new adds a field that the event does not have",
			"%s has no field %s; the nearest are %s", strings.Join(without, ", "), dotted(s.path), schema.Alternatives(near))
	}
	for _, name := range without {
		a.say("note: %s has no field %s and is sent without it", name, dotted(s.path))
	}
	return nil
}

// warnInvalid says of each changed payload what makes it invalid. It was sent
// all the same: to see what a handler does with it may be the point.
func (a *app) warnInvalid(checker *validate.Checker, events []event) {
	for _, e := range events {
		if e.typ == nil {
			continue
		}
		for _, p := range checker.Check(e.body).Problems {
			if p.Severity == schema.Error {
				a.say("%s %s is not valid: %s", a.err.Note("warning:"), e.name, report.Safe(strings.TrimPrefix(p.Pointer+": "+p.Message, ": ")))
			}
		}
	}
}

// fileLabel is what a path is called in messages.
func fileLabel(path string) string {
	if path == validate.Stdin {
		return "stdin"
	}
	return path
}

// open opens a file, or standard input for "-".
func (a *app) open(name string) (src io.Reader, closeFile func(), err error) {
	if name == validate.Stdin {
		return a.env.Stdin, func() {}, nil
	}
	f, err := os.Open(name) //nolint:gosec // to read the file that the user names is the point
	if err != nil {
		return nil, nil, usage("", "open %s: %w", name, report.Cause(err))
	}
	return f, func() { _ = f.Close() }, nil // it was only read
}

// readFile reads a payload.
func (a *app) readFile(name string) ([]byte, error) {
	src, closeFile, err := a.open(name)
	if err != nil {
		return nil, err
	}
	defer closeFile()
	return readPayload(name, src)
}

func readPayload(name string, src io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(src, maxFile+1))
	switch {
	case err != nil:
		return nil, usage("", "read %s: %w", fileLabel(name), report.Cause(err))
	case len(body) > maxFile:
		return nil, usage("", "%s is longer than %s", fileLabel(name), report.Size(maxFile))
	}
	return body, nil
}

// completeFields completes the paths of the fields of the events on the line.
func (a *app) completeFields(_ *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	c, checker, err := a.judge(validate.Options{})
	if err != nil || strings.Contains(toComplete, "=") {
		return nil, directive
	}
	var paths []cobra.Completion
	for _, t := range c.Types() {
		if len(args) > 0 && !slices.Contains(args, t.Name) {
			continue
		}
		all, err := fields(checker, t)
		if err != nil {
			continue
		}
		for _, f := range all {
			if path := cobra.CompletionWithDesc(dotted(f.Path)+"=", f.Description); !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	return paths, directive
}
