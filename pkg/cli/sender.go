package cli

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/signature"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// deliveryOptions are what the flags fill that say how deliveries are made.
type deliveryOptions struct {
	to       string
	header   []string
	timeout  time.Duration
	insecure bool
	dryRun   bool
	curl     bool
	asJSON   bool

	secretFile string
	url        string
	fault      string
	retries    string
	retrySpeed speed
}

// noRetries is the --retries that tries nothing again.
const noRetries = "none"

// deliveryFlags defines these flags; headerHelp says what --header does.
func deliveryFlags(cmd *cobra.Command, o *deliveryOptions, headerHelp string) {
	f := cmd.Flags()
	flagGroup(cmd, "Delivering", func() {
		f.StringVar(&o.to, "to", defaultURL, "`URL` of the handler; 3000 and localhost:3000/hooks will do")
		f.StringArrayVar(&o.header, "header", nil, headerHelp+", as `\"Name: value\"` (repeatable)")
		f.DurationVar(&o.timeout, "timeout", deliver.DefaultTimeout, "how long one delivery may take")
		f.BoolVar(&o.insecure, "insecure", false, "accept any certificate")
		f.BoolVar(&o.dryRun, "dry-run", false, "print the requests and send nothing")
		f.BoolVar(&o.curl, "curl", false, "print the requests as curl commands and send nothing")
		f.BoolVar(&o.asJSON, "json", false, "write one JSON object per attempt")
	})
	flagGroup(cmd, "Signing", func() {
		f.StringVar(&o.secretFile, "secret-file", "", "sign with the API secret in this `file`; or set "+secretVariable)
		f.StringVar(&o.url, "url", "", "the `URL` that is signed, where the handler believes in another one than --to")
		f.Var(&enum{value: &o.fault, allowed: names(signature.Faults)}, "bad-signature", "sign wrongly: "+schema.Alternatives(names(signature.Faults)))
	})
	flagGroup(cmd, "Retrying", func() {
		o.retries = noRetries
		schedules := []string{noRetries}
		for _, s := range deliver.Schedules {
			schedules = append(schedules, s.Name)
		}
		f.Var(&enum{value: &o.retries, allowed: schedules}, "retries", "try again as JustCall does, by the `schedule` that the developer portal\npublishes (developer) or the help centre (help-center)")
		o.retrySpeed = 1
		f.Var(&o.retrySpeed, "retry-speed", "how many times shorter the waits are: 60x makes seconds of minutes")
		complete(cmd, "retries", schedules...)
	})
	complete(cmd, "bad-signature", names(signature.Faults)...)
	cmd.MarkFlagsMutuallyExclusive("dry-run", "json", "curl")
}

func names[T ~string](list []T) []string {
	all := make([]string, len(list))
	for i, v := range list {
		all[i] = string(v)
	}
	return all
}

// A sender makes deliveries as the flags ask.
type sender struct {
	app      *app
	options  *deliveryOptions
	target   *url.URL
	header   map[string][]string
	client   *deliver.Client
	secret   string // empty: nothing is signed
	schedule *deliver.Schedule
	progress *progress // may be nil
	told     bool      // that a secret may be missing
}

// sender reads the flags: where deliveries go, with which header, and how.
func (a *app) sender(o *deliveryOptions) (*sender, error) {
	s := &sender{app: a, options: o}
	var err error
	if s.target, err = deliver.ParseURL(o.to); err != nil {
		return nil, usage("a URL looks like http://127.0.0.1:3000/hooks, or 3000 for short", "%w", err)
	}
	if s.header, err = headers(o.header); err != nil {
		return nil, err
	}
	if o.timeout <= 0 {
		return nil, usage("a time looks like 500ms or 10s", "the timeout %v is not above 0", o.timeout)
	}
	if urlErr := checkSignedURL(o.url); urlErr != nil {
		return nil, urlErr
	}
	if s.secret, err = a.secret(o.secretFile); err != nil {
		return nil, err
	}
	if o.retries == noRetries && o.retrySpeed != 1 {
		return nil, usage("name a schedule with --retries", "--retry-speed is about retries, and there are none")
	}
	if s.secret == "" && (o.url != "" || o.fault != "" && o.fault != string(signature.Absent)) {
		return nil, usage("set "+secretVariable+", or name a --secret-file", "no secret to sign with")
	}
	if i := slices.IndexFunc(deliver.Schedules, func(s deliver.Schedule) bool { return s.Name == o.retries }); i >= 0 {
		s.schedule = &deliver.Schedules[i]
	}
	s.client = deliver.NewClient(deliver.Options{Timeout: o.timeout, UserAgent: userAgent(), Insecure: o.insecure})
	return s, nil
}

// A parcel is a delivery that is to be made.
type parcel struct {
	name  string // for people
	event string // the event type, as it is signed
	d     *webhook.Delivery
}

// prints reports whether requests are printed, and not sent.
func (s *sender) prints() bool { return s.options.dryRun || s.options.curl }

// sign returns the delivery with a signature of now, if there is a secret.
// What --header sets stays.
func (s *sender) sign(p parcel) *webhook.Delivery {
	if s.secret == "" {
		return p.d
	}
	signed := *p.d
	signed.Header = maps.Clone(p.d.Header)
	if signed.Header == nil {
		signed.Header = map[string][]string{}
	}
	maps.DeleteFunc(signed.Header, func(name string, _ []string) bool { return signature.IsHeader(name) && s.header[name] == nil })
	for name, value := range signature.Fault(s.options.fault).Headers(s.secret, s.signedURL(p.d), p.event, s.app.env.Now()) {
		if s.header[name] == nil {
			signed.Header[name] = []string{value}
		}
	}
	return &signed
}

// signedURL is the URL that the handler believes in.
func (s *sender) signedURL(d *webhook.Delivery) string {
	if s.options.url != "" {
		return s.options.url
	}
	return d.URL
}

// send makes a delivery, again and again if the schedule says so, and prints each
// attempt. It reports whether the delivery was acknowledged.
func (s *sender) send(ctx context.Context, p parcel) (ok bool, err error) {
	switch {
	case s.options.dryRun:
		return true, s.app.printRequest(ctx, s.client, s.sign(p))
	case s.options.curl:
		return true, s.printCurl(ctx, p)
	}
	once := deliver.Schedule{}
	schedule := &once
	if s.schedule != nil {
		schedule = s.schedule
	}
	var last report.Sent
	o := schedule.Run(ctx, float64(s.options.retrySpeed), rand.Float64, func(attempt int) deliver.Outcome {
		last = report.Sent{ID: p.d.ID, Event: p.name, URL: redacted(p.d.URL), Bytes: len(p.d.Body)}
		if s.schedule != nil {
			last.Attempt = attempt
		}
		if !s.options.asJSON {
			s.progress.makeWay()
			fmt.Fprintln(s.app.stdout, s.app.out.Request(p.d.ID, p.name, last.URL, last.Bytes))
		}
		s.progress.update()
		last.Outcome = s.client.Do(ctx, s.sign(p))
		s.progress.makeWay()
		if !s.options.asJSON {
			fmt.Fprintln(s.app.stdout, s.app.out.Response(p.d.ID, &last.Outcome)+s.app.out.Hint(report.Diagnosis(&last.Outcome)))
		}
		return last.Outcome
	}, func(next int, wait time.Duration) {
		last.Again, last.Retry = true, wait
		if s.options.asJSON {
			err = s.app.writeLine(last.JSON())
		} else {
			fmt.Fprintln(s.app.stdout, s.app.out.Faint(fmt.Sprintf("    attempt %d of %d in %s", next, schedule.Attempts(), report.Duration(wait))))
		}
		s.progress.update()
	})
	last.Again, last.Retry = false, 0
	// A wait that was canceled is no attempt, and the one before it was written.
	if s.options.asJSON && err == nil && (o.Class != deliver.Canceled || last.Outcome.Class == deliver.Canceled) {
		err = s.app.writeLine(last.JSON())
	}
	switch {
	case err != nil:
		return false, err
	case o.Class == deliver.Canceled:
		return false, context.Canceled
	case s.schedule != nil && s.schedule.Again(&o):
		s.app.say("%s %s: given up after %d attempts (%s)", s.app.err.Bad("failed:"), report.Safe(p.name), schedule.Attempts(), schedule.Source)
		return false, nil
	}
	switch {
	case o.OK():
	case s.schedule != nil:
		s.app.say("%s", s.app.err.Faint(fmt.Sprintf("not tried again: the schedule of the %s has no retry for that", schedule.Source)))
	case s.secret == "" && (o.Status == http.StatusUnauthorized || o.Status == http.StatusForbidden) && !s.told:
		s.told = true
		s.app.say("%s it was sent unsigned: %s signs it", s.app.err.Note("note:"), secretVariable)
	}
	return o.OK(), nil
}

// printCurl prints the request as a curl command.
func (s *sender) printCurl(ctx context.Context, p parcel) error {
	signed := s.sign(p)
	req, err := s.client.Request(ctx, signed)
	if err != nil {
		return err
	}
	shown := *signed
	shown.Header = maps.Clone(req.Header)
	if host := signed.Header["Host"]; len(host) > 0 {
		shown.Header["Host"] = host
	}
	text := report.Curl(&shown)
	if s.options.insecure {
		text = strings.Replace(text, "curl -sS", "curl -sS --insecure", 1)
	}
	fmt.Fprintln(s.app.stdout, text)
	return nil
}
