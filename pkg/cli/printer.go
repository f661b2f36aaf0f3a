package cli

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/listen"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/signature"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// A printer judges what arrived, writes it to standard output and counts it. What
// it has not come to yet waits in its queue, and what does not fit there in a
// file.
type printer struct {
	*receiver

	expected *expectations
	queue    *listen.Queue
	spill    spill
	tally    tally
	out      *bufio.Writer
	record   []byte
	lastID   uint64            // of the last delivery that was printed
	verdicts map[string][]byte // of event types, where there is nothing to report

	mu     sync.Mutex
	notes  []*forwarded // that wait for their delivery to be printed
	untold int          // notes that did not fit
	lost   int
}

// How much waits to be printed.
const (
	printBytes = 32 << 20 // of deliveries, in memory; more goes to a file
	maxNotes   = 10_000   // ends of forwarded deliveries
)

func newPrinter(r *receiver, expected *expectations) *printer {
	p := &printer{receiver: r, expected: expected, verdicts: map[string][]byte{}, tally: tally{started: r.app.env.Now()}, out: bufio.NewWriterSize(r.app.stdout, 64<<10)}
	p.queue = listen.NewQueue()
	p.queue.MaxBytes, p.queue.Spill = printBytes, &p.spill
	p.queue.Lost = func(_ *webhook.Delivery, err error) {
		if p.lost++; p.lost == 1 {
			p.app.complain(fmt.Errorf("the output is slower than what arrives, and keeping it failed: %w", report.Cause(err)),
				"deliveries are acknowledged, and recorded with --record, but some are not printed")
		}
	}
	return p
}

func (p *printer) close() { p.spill.Close() }

// run prints until the queue is closed and empty.
func (p *printer) run() error {
	err := p.queue.Each(p.print)
	if err == nil {
		err = p.print(nil) // what came of the last ones
	}
	return err
}

// ready writes the first object of the JSON output.
func (p *printer) ready(url string) {
	fmt.Fprintf(p.app.stdout, "{\"v\":%d,\"kind\":\"ready\",\"url\":%q}\n", capture.Version, url)
}

// print writes a batch of deliveries, and what came of those that were sent on.
// What it wrote is out when it returns.
func (p *printer) print(batch []*webhook.Delivery) error {
	for _, d := range batch {
		if err := p.one(d); err != nil {
			return err
		}
		p.lastID = max(p.lastID, d.ID)
	}
	for _, f := range p.due() {
		if err := p.forwarded(f); err != nil {
			return err
		}
	}
	if err := p.out.Flush(); err != nil || len(batch) == 0 {
		return err
	}
	time.Sleep(printPause)
	return nil
}

// printPause is the time that is left between two batches: under load, to wake up
// for each delivery would cost more than to print it.
const printPause = time.Millisecond

// silent reports whether events are judged and counted, but not printed: to be
// shown pretty is for eyes, and -q wants no talk.
func (p *printer) silent() bool {
	return p.app.quiet && !p.options.asJSON && !p.options.compact
}

func (p *printer) one(d *webhook.Delivery) error {
	probe := isProbe(d)
	style := p.app.out
	if probe {
		if p.page != nil {
			p.page.Add(p.entry(d, new(validate.Result), nil), d)
		}
		if !p.options.asJSON && !p.silent() {
			fmt.Fprintln(p.out, style.Probe(d)+p.tag(d))
		}
		if !p.options.asJSON {
			return nil
		}
	}
	var fields []byte
	if !probe {
		r := p.checker.Check(d.Body)
		p.tally.add(&r)
		if acknowledged(d) { // else the sender tries again
			defer p.expected.add(r.Event, r.Known && r.Valid())
		}
		signed := p.signature(d, r.Event)
		if p.page != nil {
			p.page.Add(p.entry(d, &r, signed), d)
		}
		if p.silent() {
			return nil
		}
		if !p.options.asJSON {
			fmt.Fprintln(p.out, style.Received(d, &r)+p.tag(d))
			if signed != nil {
				fmt.Fprintln(p.out, "  "+style.SignatureLine(signed))
			}
			if !p.options.compact {
				fmt.Fprintln(p.out, style.Body(d.Body, &r))
			}
			return nil
		}
		var err error
		if fields, err = p.verdict(&r, signed); err != nil {
			return err
		}
	}
	shown := *d
	if !p.options.capture.Secrets {
		shown.Header = capture.Redact(d.Header)
	}
	p.record = capture.Append(p.record[:0], &shown, fields)
	_, err := p.out.Write(p.record)
	return err
}

// verdict is what a record says of a payload. Most are valid, and of one of a few
// types: what it says of these is made once.
func (p *printer) verdict(r *validate.Result, signed *signature.Result) ([]byte, error) {
	clean := r.Known && len(r.Problems) == 0 && signed == nil
	if fields := p.verdicts[r.Event]; clean && fields != nil {
		return fields, nil
	}
	fields := []capture.Field{
		{Name: "event", Value: r.Event},
		{Name: "verdict", Value: report.Verdict(r)},
		{Name: "valid", Value: r.Known && r.Valid()},
		{Name: "problems", Value: report.Problems(r)},
	}
	if signed != nil {
		fields = append(fields, capture.Field{Name: "signature", Value: signed.Reason}, capture.Field{Name: "signature_note", Value: report.Signature(signed)})
	}
	text, err := capture.AppendFields(nil, fields...)
	if clean && err == nil {
		p.verdicts[r.Event] = text
	}
	return text, err
}

// told takes what is known of a delivery that is sent on. It is printed after
// the delivery itself.
func (p *printer) told(f *forwarded) {
	if f.begun && (p.options.asJSON || p.silent()) {
		return
	}
	p.mu.Lock()
	full := len(p.notes) >= maxNotes
	if !full {
		p.notes = append(p.notes, f)
	} else if p.untold++; p.untold == 1 {
		defer p.app.complain(errors.New("the output is slower than what arrives: not all that came of forwarding is printed"), "")
	}
	p.mu.Unlock()
	p.queue.Wake()
}

// due returns the notes whose delivery was printed.
func (p *printer) due() []*forwarded {
	p.mu.Lock()
	defer p.mu.Unlock()
	var due []*forwarded
	kept := p.notes[:0]
	for _, f := range p.notes {
		if f.id <= p.lastID {
			due = append(due, f)
		} else {
			kept = append(kept, f)
		}
	}
	clear(p.notes[len(kept):])
	p.notes = kept
	return due
}

// forwarded writes a line of a delivery that is sent on.
func (p *printer) forwarded(f *forwarded) error {
	style := p.app.out
	if p.page != nil && !f.begun {
		p.page.Forwarded(f.id, pageForward(f))
	}
	switch {
	case p.silent():
	case p.options.asJSON && f.begun:
	case p.options.asJSON:
		text, err := f.sent.ForwardJSON(capture.Version, f.id)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "%s\n", text)
	case f.begun:
		fmt.Fprintln(p.out, style.Request(f.id, cmp.Or(f.sent.Event, "-"), f.sent.URL, f.sent.Bytes))
	default:
		line := style.Response(f.id, &f.sent.Outcome)
		if len(p.forward.targets) > 1 {
			line += "  " + style.Faint(report.Safe(p.forward.targets[f.target].name))
		}
		fmt.Fprintln(p.out, line+style.Hint(report.ForwardDiagnosis(&f.sent.Outcome)))
	}
	return nil
}

// tag is the id of a delivery, where there is a use for it.
func (p *printer) tag(d *webhook.Delivery) string {
	if p.recorder == nil && p.forward == nil {
		return ""
	}
	return p.app.out.Faint(fmt.Sprintf("  [%d]", d.ID))
}
