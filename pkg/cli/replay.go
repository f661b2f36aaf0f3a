package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// replayOptions are what the flags of replay fill.
type replayOptions struct {
	speed        speed
	events       []string
	ids          []string
	since, until string
	changes      changeOptions
	delivery     deliveryOptions
	follow       bool
	failed       bool
}

func (a *app) replayCommand() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay CAPTURE...",
		Short: "Send what was captured again, in order",
		Long: `Send the deliveries of captures again, in the order in which they were recorded,
bodies to the byte and with their headers. A capture is what listen --record or
listen --json wrote, or - for standard input.

A delivery goes to the path of --to; where that has none, to the path at which it
was received. Probes (GET and HEAD) and headers that were redacted are left out.
The exit code is 1 when a delivery was not acknowledged with a 2xx status.`,
		Example: examples(`  jc-webhooks replay capture.ndjson --to localhost:3000/hooks
  jc-webhooks replay capture.ndjson --event '{2}' --since 10m --to 3000
  jc-webhooks replay capture.ndjson --id 17 --to 3000
  jc-webhooks replay capture.ndjson --follow --to 3000`),
		RunE: func(cmd *cobra.Command, args []string) error { return a.replay(cmd.Context(), args, o) },
	}
	f := cmd.Flags()
	f.Var(&o.speed, "speed", "how fast: 1x keeps the recorded distances in time, 10x divides them, max has none (default max)")
	f.StringArrayVar(&o.events, "event", nil, "only events of this type, or of those that a `PATTERN` such as 'call.*' matches (repeatable)")
	f.StringArrayVar(&o.ids, "id", nil, "only the delivery with this id, or those of a range, `N[-M]` (repeatable)")
	f.BoolVar(&o.failed, "failed", false, "only deliveries that were not answered with 2xx when they were recorded")
	f.StringVar(&o.since, "since", "", "only what was received at or after this `TIME`: 2026-01-02T15:04:05Z, or 10m for ten minutes ago")
	f.StringVar(&o.until, "until", "", "only what was received before this `TIME`")
	a.changeFlags(cmd, &o.changes)
	deliveryFlags(cmd, &o.delivery, "set a header")
	f.BoolVar(&o.follow, "follow", false, "at the end of the capture, wait for more, until Ctrl-C")
	must(cmd.RegisterFlagCompletionFunc("event", a.completeEvents))
	return cmd
}

// A speed is how many times faster than recorded; 0 is as fast as can be.
type speed float64

func (s *speed) String() string {
	if *s == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(*s), 'g', -1, 64) + "x"
}

// Type is what help shows for the value.
func (*speed) Type() string { return "speed" }

// Set reads a speed: 1x, 0.5x, max.
func (s *speed) Set(text string) error {
	if text == "max" {
		*s = 0
		return nil
	}
	x, err := strconv.ParseFloat(strings.TrimSuffix(text, "x"), 64)
	if err != nil || x <= 0 || x > 1e6 {
		return errors.New("want 1x, another factor, or max")
	}
	*s = speed(x)
	return nil
}

// A selection says which deliveries of a capture are replayed.
type selection struct {
	events       []string
	ids          [][2]uint64
	since, until time.Time
	failed       bool
}

func (a *app) parseSelection(o *replayOptions) (selection, error) {
	s := selection{events: o.events, failed: o.failed}
	for _, pattern := range o.events {
		if _, err := path.Match(pattern, ""); err != nil {
			return s, usage("a pattern looks like 'call.*'", "the pattern %q: %w", pattern, err)
		}
	}
	for _, text := range o.ids {
		first, last, isRange := strings.Cut(text, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 64)
		to, err2 := strconv.ParseUint(last, 10, 64)
		if err != nil || err2 != nil || from > to {
			return s, usage("", "the id %q, want a number or a range such as 3-7", text)
		}
		s.ids = append(s.ids, [2]uint64{from, to})
	}
	var err error
	if s.since, err = a.parseTime(o.since); err != nil {
		return s, err
	}
	s.until, err = a.parseTime(o.until)
	return s, err
}

// parseTime reads an instant, or a duration before now.
func (a *app) parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return a.env.Now().Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usage("", "the time %q, want one like 2026-01-02T15:04:05Z, or 10m for ten minutes ago", text)
	}
	return t, nil
}

func (s *selection) wants(d *webhook.Delivery, event string) bool {
	switch {
	case d.Method != "" && d.Method != http.MethodPost:
		return false
	case s.failed && acknowledged(d):
		return false
	case !s.since.IsZero() && d.Received.Before(s.since), !s.until.IsZero() && !d.Received.Before(s.until):
		return false
	case len(s.ids) > 0 && !slices.ContainsFunc(s.ids, func(r [2]uint64) bool { return r[0] <= d.ID && d.ID <= r[1] }):
		return false
	}
	return len(s.events) == 0 || slices.ContainsFunc(s.events, func(pattern string) bool { return matches(pattern, event) })
}

// A replayer sends the deliveries of captures.
type replayer struct {
	app     *app
	options replayOptions
	sender  *sender
	change  changes
	choice  selection
	catalog *webhook.Catalog
	checker *validate.Checker

	last                *webhook.Delivery // as it was recorded
	first               time.Time         // when the first delivery was received
	started             time.Time         // when it was sent again
	sent, bad, unusable int
	changed             int // payloads that --set changed
}

func (a *app) replay(ctx context.Context, names []string, o replayOptions) error {
	if len(names) == 0 {
		return usage("`jc-webhooks listen --record capture.ndjson` makes one", "no capture named")
	}
	r := &replayer{app: a, options: o}
	var err error
	if r.sender, err = a.sender(&o.delivery); err != nil {
		return err
	}
	r.sender.progress = a.progress(r.far)
	defer r.sender.progress.clear()
	if r.choice, err = a.parseSelection(&o); err != nil {
		return err
	}
	if r.change, err = a.parseChanges(&o.changes); err != nil {
		return err
	}
	if r.catalog, r.checker, err = a.judge(validate.Options{}); err != nil {
		return err
	}
	for _, name := range names {
		if err := r.capture(ctx, name); err != nil {
			return err
		}
	}
	return r.end()
}

// end sums up and says what the exit code is.
func (r *replayer) end() error {
	a := r.app
	r.sender.progress.clear()
	switch {
	case r.sent == 0 && r.unusable == 0:
		return usage("`jc-webhooks validate` shows what is in it", "no delivery to replay")
	case len(r.change.sets) > 0 && r.changed == 0 && r.sent > 0:
		a.complain(errors.New("--set matched no delivery: all were sent unchanged"), "--set-new adds a field that an event does not have")
		return errTold
	}
	if !r.sender.prints() {
		a.say("%s replayed, %d acknowledged", report.Deliveries(r.sent), r.sent-r.bad)
	}
	switch {
	case r.unusable > 0:
		return errTold
	case r.bad > 0:
		return errBad
	}
	return nil
}

// followPause is how often a capture that is followed is looked at.
const followPause = 100 * time.Millisecond

// capture replays one capture.
func (r *replayer) capture(ctx context.Context, name string) error {
	src := r.app.env.Stdin
	if name != validate.Stdin {
		f, err := os.Open(name) //nolint:gosec // to read the file that the user names is the point
		if err != nil {
			return usage("", "open capture %s: %w", name, report.Cause(err))
		}
		defer f.Close() //nolint:errcheck // it was only read
		src = f
	}
	records := capture.NewReader(src)
	for {
		d, err := records.Next()
		var broken *capture.RecordError
		switch {
		case errors.Is(err, io.EOF):
			if r.options.follow && name != validate.Stdin {
				if sleep(ctx, followPause) != nil {
					return nil // Ctrl-C is how following ends
				}
				continue
			}
			if torn := records.Torn(); torn != nil {
				r.say(name, torn)
			}
			return nil
		case errors.As(err, &broken):
			r.say(name, err)
			r.unusable++
			continue
		case err != nil:
			return usage("", "read capture %s: %w", name, report.Cause(err))
		}
		if err := r.one(ctx, d); err != nil {
			if r.options.follow && errors.Is(err, context.Canceled) {
				return nil // as above
			}
			return err
		}
	}
}

func (r *replayer) say(name string, err error) {
	r.sender.progress.clear()
	r.app.complain(fmt.Errorf("capture %s: %w", fileLabel(name), err), "")
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// one replays a delivery, if it is wanted.
func (r *replayer) one(ctx context.Context, recorded *webhook.Delivery) error {
	result := r.checker.Check(recorded.Body)
	if !r.choice.wants(recorded, result.Event) {
		return nil
	}
	e := event{name: result.Event, body: recorded.Body}
	if e.name == "" {
		e.name = "-"
	}
	if !r.change.none() && result.Known {
		e.typ, _ = r.catalog.Lookup(result.Event)
		if err := r.alter(&e); err != nil {
			return err
		}
	}
	d := &webhook.Delivery{ID: recorded.ID, URL: r.url(recorded), Header: r.headers(recorded), Body: e.body}
	r.sent++
	r.last = recorded
	if !r.sender.prints() {
		if err := r.pace(ctx, recorded); err != nil {
			return err
		}
	}
	ok, err := r.sender.send(ctx, parcel{e.name, eventType(r.checker, &e), d})
	if err == nil && !ok {
		r.bad++
	}
	return err
}

// far says how far the replay is.
func (r *replayer) far() string {
	return fmt.Sprintf("replaying [%d] of %s: %d sent, %d not acknowledged", r.last.ID, r.last.Received.Local().Format(time.DateTime), r.sent, r.bad)
}

// alter applies the changes that the payload has the fields for.
func (r *replayer) alter(e *event) error {
	all, err := fields(r.checker, e.typ)
	if err != nil {
		return err
	}
	e.fields = all
	fitting := changes{fresh: r.change.fresh, setNew: r.change.setNew}
	for _, s := range r.change.sets {
		if r.change.setNew || s.matches(e.body, all) {
			fitting.sets = append(fitting.sets, s)
		}
	}
	if len(fitting.sets) > 0 {
		r.changed++
	}
	one := []event{*e}
	err = fitting.apply(r.app, one)
	e.body = one[0].body
	return err
}

// pace waits until the delivery is due.
func (r *replayer) pace(ctx context.Context, d *webhook.Delivery) error {
	if r.options.speed == 0 {
		return ctx.Err()
	}
	if r.started.IsZero() {
		r.first, r.started = d.Received, time.Now()
	}
	after := time.Duration(float64(d.Received.Sub(r.first)) / float64(r.options.speed))
	return sleep(ctx, time.Until(r.started.Add(after)))
}

// url returns where the delivery goes.
func (r *replayer) url(d *webhook.Delivery) string {
	u := *r.sender.target
	if recorded, err := url.ParseRequestURI(d.URL); err == nil && u.Path == "/" && u.RawQuery == "" {
		u.Path, u.RawPath, u.RawQuery = recorded.Path, recorded.RawPath, recorded.RawQuery
	}
	return u.String()
}

// headers returns the header of the delivery: that which was recorded, with what
// --header sets.
func (r *replayer) headers(d *webhook.Delivery) map[string][]string {
	h := replayable(d).Header
	delete(h, "Accept-Encoding") // the answer is read by people
	maps.Copy(h, r.sender.header)
	return h
}
