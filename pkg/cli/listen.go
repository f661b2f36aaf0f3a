package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
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
}

func (a *app) listenCommand() *cobra.Command {
	var o listenOptions
	cmd := &cobra.Command{
		Use:   "listen",
		Short: "Receive events on this machine and print each with a verdict",
		Long: `Receive events on this machine and print each as it arrives, with a verdict.

POST on any path is accepted and answered with 200, whatever the verdict is,
unless --enforce-signature refuses it. GET and HEAD, with which vendors probe a
URL, are answered with 200 as well.

The first Ctrl-C ends it well: requests under way have five seconds to finish,
and are counted. A second one ends it at once.`,
		Example: `  jc-webhooks listen
  jc-webhooks listen --port 0 --ready-file url.txt
  jc-webhooks listen --json > events.ndjson
  jc-webhooks listen --record capture.ndjson`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.expect.check(args); err != nil {
				return err
			}
			return a.listen(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.host, "host", defaultHost, "`address` to listen on")
	f.Uint16Var(&o.port, "port", defaultPort, "port to listen on; 0 takes a free one")
	f.StringVar(&o.readyFile, "ready-file", "", "write the URL to this `file` once events can be sent to it")
	f.Int64Var(&o.maxBody, "max-body", listen.DefaultMaxBody, "longest body that is accepted, in `bytes`; a longer one gets 413")
	f.BoolVar(&o.compact, "compact", false, "print one line per event")
	f.BoolVar(&o.asJSON, "json", false, "write one JSON object per event, the body in it to the byte")
	f.StringVar(&o.record, "record", "", "append every request to this `file`, a capture, before it is answered")
	f.BoolVar(&o.capture.Secrets, "record-secrets", false, "record the values of Authorization and Cookie headers too")
	f.BoolVar(&o.capture.Sync, "fsync", false, "answer only when the disk has the record")
	f.Var(&o.rotate, "rotate", "begin a new file when the capture has this `size`, such as 100MB")
	verifyFlags(cmd, &o.verify)
	f.StringArrayVar(&o.expect.expect, "expect", nil, "end with 0 when this has arrived: an event type or a `PATTERN[=N]` such as 'sms.*=3' (repeatable)")
	f.BoolVar(&o.expect.valid, "expect-valid", false, "count only valid events as expected ones")
	f.DurationVar(&o.expect.timeout, "timeout", 0, "end with 1 when what is expected has not arrived by then")
	f.StringVar(&o.expect.command, "exec", "", "run this `command` once events can be sent, with "+variable("to")+" set; its arguments\nfollow --. Ends when it has ended, with 1 if it failed")
	must(cmd.RegisterFlagCompletionFunc("expect", a.completeEvents))
	cmd.MarkFlagsMutuallyExclusive("compact", "json")
	return cmd
}

func (a *app) listen(ctx context.Context, o listenOptions) error {
	c, err := a.catalog()
	if err != nil {
		return err
	}
	checker, err := validate.NewChecker(c, validate.Options{AllowUnknown: true})
	if err != nil {
		return err
	}
	if o.maxBody < 1 {
		return usage("", "the longest body, %d bytes, is not above 0", o.maxBody)
	}
	verifier, err := a.verifier(&o.verify)
	if err != nil {
		return err
	}
	var sinks []listen.Sink
	recorder, err := a.openCapture(&o)
	if err != nil {
		return err
	}
	if recorder != nil {
		defer recorder.Close() //nolint:errcheck // every record was written when its delivery was answered
		sinks = append(sinks, a.recordTo(recorder))
	}
	ln, err := bind(ctx, o)
	if err != nil {
		return err
	}
	url := "http://" + ln.Addr().String() + "/"
	a.drains.Store(true)
	interrupted := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	met := make(chan struct{})
	expected, err := parseExpect(c, &o.expect, func() { close(met) })
	if err != nil {
		return errors.Join(err, ln.Close())
	}

	p := &printer{app: a, checker: checker, verifier: verifier, expected: expected, options: o, tally: tally{started: a.env.Now()}}
	if o.asJSON {
		p.ready(url)
	}
	if o.readyFile != "" {
		// A request that comes before the server runs waits for it.
		if err = writeReady(o.readyFile, url); err != nil {
			_ = ln.Close() // nothing came yet
			return usage("", "write the ready file %s: %w", o.readyFile, report.Cause(err))
		}
		defer os.Remove(o.readyFile) //nolint:errcheck // it may have been taken away
	}
	a.announce(ln, url)
	queue := listen.NewQueue()
	server := &listen.Server{Sinks: append(sinks, queue.Put), MaxBody: o.maxBody, Now: a.env.Now, Refused: a.sayRefused}
	if o.verify.enforce {
		server.Decide = enforce(verifier, checker)
	}
	if recorder != nil {
		server.LastID, server.Settle = recorder.LastID(), recorder.Settle
	}
	printed := make(chan error, 1)
	go func() {
		printErr := queue.Each(p.print)
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
	queue.Close()
	if printErr := <-printed; printErr != nil {
		return fmt.Errorf("write to standard output: %w", report.Cause(printErr))
	}
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	a.say("%s", p.tally.text(a.err, a.env.Now()))
	if failed := <-commandErr; failed != nil {
		return failed
	}
	return expected.verdict()
}

func (a *app) announce(ln net.Listener, url string) {
	a.say("%s %s  (Ctrl-C ends)", a.err.Good("listening on"), a.err.Strong(url))
	if addr, ok := ln.Addr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() {
		a.say("%s everybody who can reach this machine can send to it", a.err.Note("warning:"))
	}
	send := "jc-webhooks send --all"
	if url != defaultURL {
		send += " --to " + url
	}
	a.say("%s", a.err.Faint("try in another terminal: "+send))
}

func (a *app) sayRefused(r listen.Refusal) {
	a.say("%s  %s %s  %s %s", a.err.Faint(r.Time.Format("15:04:05.000")), report.Excerpt([]byte(r.Method), 20),
		report.Excerpt([]byte(r.URL), 100), a.err.Bad(strconv.Itoa(r.Status)), r.Reason)
}

// bind opens the port, so that whoever is told of it can reach it.
func bind(ctx context.Context, o listenOptions) (net.Listener, error) {
	addr := net.JoinHostPort(o.host, strconv.Itoa(int(o.port)))
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", addr)
	var op *net.OpError
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE) || strings.Contains(err.Error(), "Only one usage of each socket address"):
		return nil, usage("another one may be running; `jc-webhooks listen --port 0` takes a free port", "%s is in use", addr)
	case errors.Is(err, syscall.EACCES):
		return nil, usage("ports below 1024 need privileges; try --port "+strconv.Itoa(defaultPort), "no permission to listen on %s", addr)
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

// A printer writes what arrived to standard output and counts it.
type printer struct {
	app      *app
	checker  *validate.Checker
	verifier *signature.Verifier // nil when there is no secret
	expected *expectations
	options  listenOptions
	tally    tally
	record   []byte
}

// ready writes the first object of the JSON output.
func (p *printer) ready(url string) {
	fmt.Fprintf(p.app.stdout, "{\"v\":%d,\"kind\":\"ready\",\"url\":%q}\n", capture.Version, url)
}

// print writes a batch of deliveries. What it wrote is out when it returns.
func (p *printer) print(batch []*webhook.Delivery) error {
	out := bufio.NewWriter(p.app.stdout)
	for _, d := range batch {
		if err := p.one(out, d); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (p *printer) one(out *bufio.Writer, d *webhook.Delivery) error {
	probe := d.Method != http.MethodPost && len(d.Body) == 0
	style := p.app.out
	if probe && !p.options.asJSON {
		_, err := fmt.Fprintln(out, style.Probe(d))
		return err
	}
	var fields []capture.Field
	if !probe {
		r := p.checker.Check(d.Body)
		p.tally.add(&r)
		defer p.expected.add(r.Event, r.Known && r.Valid())
		var signed *signature.Result
		if p.verifier != nil {
			s := verify(p.verifier, d, r.Event)
			signed = &s
		}
		if !p.options.asJSON {
			fmt.Fprintln(out, style.Received(d, &r))
			if signed != nil {
				fmt.Fprintln(out, "  "+style.SignatureLine(signed))
			}
			if !p.options.compact {
				fmt.Fprintln(out, style.Body(d.Body, &r))
			}
			return nil
		}
		fields = []capture.Field{
			{Name: "event", Value: r.Event},
			{Name: "verdict", Value: report.Verdict(&r)},
			{Name: "valid", Value: r.Known && r.Valid()},
			{Name: "problems", Value: report.Problems(&r)},
		}
		if signed != nil {
			fields = append(fields, capture.Field{Name: "signature", Value: signed.Reason}, capture.Field{Name: "signature_note", Value: report.Signature(signed)})
		}
	}
	var err error
	if p.record, err = capture.Append(p.record[:0], d, d.Status, fields...); err != nil {
		return err
	}
	_, err = out.Write(p.record)
	return err
}
