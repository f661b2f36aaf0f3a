package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/inspect"
	"github.com/jc-webhooks/jc-webhooks/pkg/listen"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/signature"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// Where listen is unless it is told otherwise; 2255 spells CALL on a phone.
const (
	defaultHost = "127.0.0.1"
	defaultPort = 2255
	defaultURL  = "http://127.0.0.1:2255/"
)

// listenOptions are what the flags of listen fill.
type listenOptions struct {
	host            string
	port            uint16
	readyFile       string
	maxBody         int64
	compact, asJSON bool
	record          string
	capture         capture.Options
	rotate          byteSize
	verify          verifyOptions
	expect          expectOptions
	forward         forwardOptions
	rehearse        rehearseOptions
	inspect         inspectOptions
}

func (a *app) listenCommand() *cobra.Command {
	var o listenOptions
	cmd := &cobra.Command{
		Use:   "listen",
		Short: "Receive events on this machine and print each with a verdict",
		Long: `Receive events on this machine and print each as it arrives, with a verdict.

POST on any path is accepted and answered with 200, whatever the verdict is,
unless --enforce-signature, --relay or --respond say otherwise. GET and HEAD,
with which vendors probe a URL, are answered with 200 as well. With -q, events
are judged, counted and recorded, and printed only with --json or --compact.

The first Ctrl-C ends it well: requests under way have five seconds to finish,
and are counted. A second one ends it at once.`,
		Example: `  jc-webhooks listen
  jc-webhooks listen --port 0 --ready-file url.txt
  jc-webhooks listen --json > events.ndjson
  jc-webhooks listen --record capture.ndjson
  jc-webhooks listen --inspect --forward-to localhost:3000/hooks`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.expect.check(args); err != nil {
				return err
			}
			o.rehearse.seeded = cmd.Flags().Changed("seed")
			if cmd.Flags().Changed("inspect-port") && !o.inspect.on {
				return usage("", "--inspect-port is about the page of --inspect")
			}
			return a.listen(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	flagGroup(cmd, "Receiving", func() {
		f.Uint16Var(&o.port, "port", defaultPort, "port to listen on; 0 takes a free one")
		f.StringVar(&o.host, "host", defaultHost, "`address` to listen on")
		f.Int64Var(&o.maxBody, "max-body", listen.DefaultMaxBody, "longest body that is accepted, in `bytes`; a longer one gets 413")
		f.StringVar(&o.readyFile, "ready-file", "", "write the URL to this `file` once events can be sent to it, and that of\n--inspect in a second line")
	})
	flagGroup(cmd, "Printing", func() {
		f.BoolVar(&o.compact, "compact", false, "print one line per event")
		f.BoolVar(&o.asJSON, "json", false, "write one JSON object per event, the body in it to the byte")
		inspectFlags(cmd, &o.inspect)
	})
	flagGroup(cmd, "Recording", func() {
		f.StringVar(&o.record, "record", "", "append every request to this `file`, a capture, before it is answered")
		f.BoolVar(&o.capture.Secrets, "record-secrets", false, "record the values of Authorization and Cookie headers too")
		f.BoolVar(&o.capture.Sync, "fsync", false, "answer only when the disk has the record")
		f.Var(&o.rotate, "rotate", "begin a new file when the capture has this `size`, such as 100MB")
	})
	flagGroup(cmd, "Verifying signatures", func() {
		verifyFlags(cmd, &o.verify)
		f.BoolVar(&o.verify.enforce, "enforce-signature", false, "answer 401 when the signature is not valid")
	})
	flagGroup(cmd, "Forwarding", func() { forwardFlags(cmd, &o.forward) })
	flagGroup(cmd, "Rehearsing failure", func() { rehearseFlags(cmd, &o.rehearse) })
	flagGroup(cmd, "In CI", func() {
		f.StringArrayVar(&o.expect.expect, "expect", nil, "end with 0 when this has arrived: an event type or a `PATTERN[=N]`\nsuch as 'sms.*=3' (repeatable)")
		f.BoolVar(&o.expect.valid, "expect-valid", false, "count only valid events as expected ones")
		f.DurationVar(&o.expect.timeout, "timeout", 0, "end with 1 when what is expected has not arrived by then")
		f.StringVar(&o.expect.command, "exec", "", "run this `command` once events can be sent, with "+variable("to")+" set; its\narguments follow --. Ends when it has ended, with 1 if it failed")
	})
	must(cmd.RegisterFlagCompletionFunc("expect", a.completeEvents))
	cmd.MarkFlagsMutuallyExclusive("compact", "json")
	return cmd
}

// A receiver is one run of listen: what its flags ask for, put together.
type receiver struct {
	app      *app
	options  listenOptions
	catalog  *webhook.Catalog
	checker  *validate.Checker
	verifier *signature.Verifier // nil when there is no secret
	recorder *capture.Writer     // nil when nothing is recorded
	forward  *forwarder          // nil when nothing is sent on
	rehearse *rehearsal          // nil when nothing is to fail
	printer  *printer
	page     *inspect.Server // nil when there is no page
	refusals chan listen.Refusal

	recordFails atomic.Bool
}

// receiver reads the flags.
func (a *app) receiver(o listenOptions) (*receiver, error) {
	if o.maxBody < 1 {
		return nil, usage("", "the longest body, %d bytes, is not above 0", o.maxBody)
	}
	r := &receiver{app: a, options: o, refusals: make(chan listen.Refusal, maxRefused)}
	var err error
	if r.catalog, r.checker, err = a.judge(validate.Options{AllowUnknown: true}); err != nil {
		return nil, err
	}
	if r.verifier, err = a.verifier(&o.verify); err != nil {
		return nil, err
	}
	if r.forward, err = a.forwarder(r.catalog, r.checker, &o.forward); err != nil {
		return nil, err
	}
	if r.rehearse, err = a.rehearsal(r.catalog, &o.rehearse); err != nil {
		return nil, err
	}
	return r, nil
}

func (a *app) listen(ctx context.Context, o listenOptions) error {
	r, err := a.receiver(o)
	if err != nil {
		return err
	}
	met := make(chan struct{})
	expected, err := parseExpect(r.catalog, &o.expect, func() { close(met) })
	if err != nil {
		return err
	}
	if r.recorder, err = a.openCapture(&o); err != nil {
		return err
	}
	if r.recorder != nil {
		defer r.recorder.Close() //nolint:errcheck // every record was written when its delivery was answered
	}
	ln, err := bind(ctx, o.host, o.port, "port")
	if err != nil {
		return err
	}
	pageLn, err := r.openInspector(ctx)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	defer tuneCollector()()
	url, pageURL := address(ln), ""
	if pageLn != nil {
		pageURL = address(pageLn)
	}
	a.drains.Store(true)
	interrupted := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	r.printer = newPrinter(r, expected)
	defer r.printer.close()
	if r.forward != nil {
		r.forward.told = r.printer.told
	}
	if pageLn != nil {
		r.page = r.newInspector(url)
		var serving sync.WaitGroup
		serving.Go(func() {
			if serveErr := r.page.Serve(ctx, pageLn); serveErr != nil {
				a.complain(fmt.Errorf("inspector: %w", serveErr), "")
			}
		})
		defer serving.Wait()
		defer cancel()
	}
	if o.asJSON {
		r.printer.ready(url)
	}
	if o.readyFile != "" {
		// A request that comes before the server runs waits for it.
		if err = writeReady(o.readyFile, strings.TrimSpace(url+"\n"+pageURL)); err != nil {
			_ = ln.Close() // nothing came yet
			return usage("", "write the ready file %s: %w", o.readyFile, report.Cause(err))
		}
		defer os.Remove(o.readyFile) //nolint:errcheck // it may have been taken away
	}
	a.announce(ln, url, &o)
	if pageURL != "" {
		a.say("%s %s", a.err.Good("inspector on"), a.err.Strong(pageURL))
	}
	server := r.server()
	if r.forward != nil {
		r.forward.start(ctx)
	}
	var saying sync.WaitGroup
	served := make(chan struct{})
	saying.Go(func() { r.sayRefused(served) })
	printed := make(chan error, 1)
	go func() {
		printErr := r.printer.run()
		cancel() // whoever read the output has left
		printed <- printErr
	}()
	commandErr := make(chan error, 1)
	go func() { commandErr <- a.supervise(ctx, cancel, &o.expect, url, met) }()
	defer context.AfterFunc(interrupted, func() {
		a.say("%s", a.err.Faint("ending: requests under way have 5 seconds (Ctrl-C again ends at once)"))
	})()
	err = server.Serve(ctx, ln)
	cancel()
	close(served)
	saying.Wait()
	if r.forward != nil {
		r.forward.end(o.record)
	}
	r.printer.queue.Close()
	if printErr := <-printed; printErr != nil {
		return fmt.Errorf("write to standard output: %w", report.Cause(printErr))
	}
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	a.say("%s", r.printer.tally.text(a.err, a.env.Now()))
	if failed := <-commandErr; failed != nil {
		return failed
	}
	return expected.verdict()
}

// address is the URL of a listener.
func address(ln net.Listener) string { return "http://" + ln.Addr().String() + "/" }

// tuneCollector lets garbage grow to some times of the little that is in use:
// under load, collecting it would take a good part of the processors. It returns
// what undoes that.
func tuneCollector() func() {
	const percent = 800
	before := debug.SetGCPercent(percent)
	if before != 100 { // somebody has set GOGC
		debug.SetGCPercent(before)
	}
	return func() { debug.SetGCPercent(before) }
}

// server makes the server of the options.
func (r *receiver) server() *listen.Server {
	s := &listen.Server{MaxBody: r.options.maxBody, Now: r.app.env.Now, Refused: r.refused}
	if r.recorder != nil {
		s.LastID, s.Record = r.recorder.LastID(), r.app.recordTo(r.recorder, &r.recordFails)
	}
	s.Sinks = append(s.Sinks, r.printer.queue.Put)
	if r.forward != nil {
		s.Sinks = append(s.Sinks, r.forward.sink)
	}
	if r.options.verify.enforce || r.rehearse != nil || r.forward != nil {
		s.Decide = r.decide
	}
	return s
}

// decide says how a delivery is answered: a loop is cut, a bad signature refused,
// a failure rehearsed, and what is left relayed or acknowledged.
func (r *receiver) decide(ctx context.Context, d *webhook.Delivery) listen.Answer {
	if r.forward != nil && r.forward.looped(d) {
		return listen.Answer{Status: http.StatusLoopDetected}
	}
	if r.options.verify.enforce && !authentic(r.verifier, r.checker, d) {
		return listen.Answer{Status: http.StatusUnauthorized}
	}
	var rehearsed listen.Answer
	if r.rehearse != nil {
		event := r.checker.Check(d.Body).Event
		var failed bool
		if rehearsed, failed = r.rehearse.answer(event); failed {
			return rehearsed
		}
	}
	if r.forward != nil && r.forward.relays {
		if r.recordFails.Load() { // a target would act on what is then refused
			return listen.Answer{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"10"}}}
		}
		if answer, ok := r.forward.relay(ctx, d); ok {
			answer.Delay = rehearsed.Delay
			return answer
		}
	}
	return rehearsed
}

func (a *app) announce(ln net.Listener, url string, o *listenOptions) {
	a.say("%s %s  (Ctrl-C ends)", a.err.Good("listening on"), a.err.Strong(url))
	if addr, ok := ln.Addr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() {
		a.say("%s everybody who can reach this machine can send to it", a.err.Note("warning:"))
	}
	if o.expect.command != "" {
		return // it sends
	}
	send := program + " send --all"
	if url != defaultURL {
		send += " --to " + url
	}
	if o.verify.url != "" {
		send += " --url " + report.Quote(o.verify.url)
	}
	a.say("%s", a.err.Faint("try in another terminal: "+send))
}

// maxRefused is how many refusals wait to be said.
const maxRefused = 100

// refused has a refusal said, without waiting for the terminal.
func (r *receiver) refused(refusal listen.Refusal) {
	select {
	case r.refusals <- refusal:
	default: // nobody reads that fast
	}
}

// sayRefused says refusals until there are none any more.
func (r *receiver) sayRefused(served <-chan struct{}) {
	for {
		select {
		case refusal := <-r.refusals:
			r.app.sayRefused(refusal)
			continue
		default:
		}
		select {
		case refusal := <-r.refusals:
			r.app.sayRefused(refusal)
		case <-served:
			return
		}
	}
}

func (a *app) sayRefused(r listen.Refusal) {
	a.say("%s  %s %s  %s %s", a.err.Faint(r.Time.Format("15:04:05.000")), report.Excerpt([]byte(r.Method), 20),
		report.Excerpt([]byte(r.URL), 100), a.err.Bad(strconv.Itoa(r.Status)), r.Reason)
}

// bind opens the port, so that whoever is told of it can reach it.
// The flag is the one that says which port.
func bind(ctx context.Context, host string, port uint16, flag string) (net.Listener, error) {
	addr := net.JoinHostPort(host, strconv.Itoa(int(port)))
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", addr)
	var op *net.OpError
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE) || strings.Contains(err.Error(), "Only one usage of each socket address"):
		return nil, usage("another one may be running; `jc-webhooks listen --"+flag+" 0` takes a free port", "%s is in use", addr)
	case errors.Is(err, syscall.EACCES):
		return nil, usage("ports below 1024 need privileges; try --"+flag+" 0", "no permission to listen on %s", addr)
	case errors.As(err, &op):
		err = op.Err
	}
	return nil, usage("--host takes an address of this machine", "cannot listen on %s: %w", addr, err)
}

// writeReady writes the file in one step: whoever waits for it finds it whole.
func writeReady(name, url string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".ready-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(url + "\n")
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error is the one to tell
	}
	return err
}
