package report

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// A Sent is one delivery that was made, and what came of it.
type Sent struct {
	ID      uint64 // of the delivery that is made again, or 0
	Event   string // the event type, or what stands for it
	URL     string // without a password
	Bytes   int    // of the body
	Outcome deliver.Outcome

	Attempt int           // from 1, where there may be several
	Again   bool          // there is another attempt
	Retry   time.Duration // until that
}

// Request writes the line of a delivery that is about to be made. Its id is that
// of the delivery that is sent on, or 0.
func (s Style) Request(id uint64, event, url string, size int) string {
	return fmt.Sprintf("%s %s%s  %s  %s", s.faint("-->"), tag(id), s.strong(Safe(event)), Safe(url), s.faint(Size(int64(size))))
}

// tag writes the id that both lines of a delivery have.
func tag(id uint64) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprintf("[%d] ", id)
}

// maxBodyExcerpt is how much of a response body is shown, in columns.
const maxBodyExcerpt = 200

// Response writes the line of what came back, with the beginning of the
// response body where the delivery was not acknowledged.
func (s Style) Response(id uint64, o *deliver.Outcome) string {
	var b strings.Builder
	status := strings.TrimSpace(fmt.Sprintf("%d %s", o.Status, http.StatusText(o.Status)))
	switch {
	case o.OK():
		status = s.good(status)
	case o.Status > 0 && o.Err == nil:
		status = s.bad(status)
	default:
		status = s.bad(string(o.Class))
	}
	fmt.Fprintf(&b, "%s %s%s  %s", s.faint("<--"), tag(id), status, s.faint(Duration(o.Latency)))
	if o.OK() {
		return b.String()
	}
	if o.Err != nil {
		b.WriteString("  " + Safe(o.Err.Error()))
	} else if encoding := o.Header.Get("Content-Encoding"); encoding != "" {
		b.WriteString("  (" + Excerpt([]byte(encoding), maxName) + ", " + Size(int64(len(o.Body))) + ")")
	} else if body := strings.Join(strings.Fields(string(o.Body)), " "); body != "" {
		b.WriteString("  " + Excerpt([]byte(body), maxBodyExcerpt))
	}
	return b.String()
}

// Hint writes a diagnosis under the line of a response; it is empty when there is
// nothing to say.
func (s Style) Hint(diagnosis string) string {
	if diagnosis == "" {
		return ""
	}
	return "\n    " + s.warn(diagnosis)
}

// Diagnosis says in words what the outcome of a delivery that was not
// acknowledged usually means, and what to do.
func Diagnosis(o *deliver.Outcome) string {
	switch o.Class {
	case deliver.OK, deliver.Canceled, deliver.Failed:
		return ""
	case deliver.Refused:
		return "nothing listens there: start `jc-webhooks listen`, or name your handler with --to"
	case deliver.Unknown:
		return "this host name has no address: check its spelling"
	case deliver.Timeout:
		return "no whole answer in time: a handler should acknowledge first and work later (--timeout waits longer)"
	case deliver.TLS:
		return "no trusted connection: check http or https, and the certificate"
	case deliver.Closed:
		return "the handler closed the connection without a whole answer: look at its log"
	case deliver.Redirect:
		return fmt.Sprintf("a redirect to %s is not followed: JustCall needs the final URL", orUnknown(Excerpt([]byte(o.Location), maxBodyExcerpt)))
	case deliver.Status:
	}
	switch {
	case o.Status == http.StatusBadRequest:
		return "400 is often a signature check over a body that was parsed and written again"
	case o.Status == http.StatusUnauthorized || o.Status == http.StatusForbidden:
		return "the handler refuses the sender: a signature, a token or an address check"
	case o.Status == http.StatusNotFound:
		return "the server is there but not this path: check the path of the URL"
	case o.Status == http.StatusMethodNotAllowed:
		return "this path does not take POST: check the path of the URL"
	case o.Status == http.StatusRequestEntityTooLarge:
		return "the body is longer than the handler takes"
	case o.Status == http.StatusUnsupportedMediaType:
		return "the handler does not take application/json"
	case o.Status == http.StatusTooManyRequests:
		return "the handler limits its rate: JustCall would try again later"
	case o.Status >= http.StatusInternalServerError:
		return "the handler failed: look at its log; JustCall would try again later"
	}
	return ""
}

// ForwardDiagnosis is [Diagnosis] for a delivery that was sent on by a listener.
func ForwardDiagnosis(o *deliver.Outcome) string {
	switch o.Class {
	case deliver.Refused:
		return "nothing listens there: is the handler running?"
	case deliver.Timeout:
		return "no whole answer in time: a handler should acknowledge first and work later (--forward-timeout waits longer)"
	default:
		if o.Status == http.StatusLoopDetected {
			return "the target is this listener, or sends on to it"
		}
		return Diagnosis(o)
	}
}

func orUnknown(s string) string {
	if s == "" {
		return "an unnamed place"
	}
	return s
}

// sentJSON is a [Sent] as programs read it.
type sentJSON struct {
	ID        uint64  `json:"id,omitempty"`
	Event     string  `json:"event"`
	URL       string  `json:"url"`
	Bytes     int     `json:"bytes"`
	Attempt   int     `json:"attempt,omitempty"`
	Retry     bool    `json:"retry,omitempty"`
	RetryMS   float64 `json:"retry_in_ms,omitempty"`
	OK        bool    `json:"ok"`
	Outcome   string  `json:"outcome"`
	Status    int     `json:"status,omitempty"`
	LatencyMS float64 `json:"latency_ms"`
	Location  string  `json:"location,omitempty"`
	Body      string  `json:"response_body,omitempty"`
	Error     string  `json:"error,omitempty"`
	Diagnosis string  `json:"diagnosis,omitempty"`
}

func (s *Sent) value() sentJSON {
	o := &s.Outcome
	v := sentJSON{
		ID: s.ID, Event: s.Event, URL: s.URL, Bytes: s.Bytes, Attempt: s.Attempt, Retry: s.Again, RetryMS: Milliseconds(s.Retry), OK: o.OK(), Outcome: string(o.Class), Status: o.Status,
		LatencyMS: Milliseconds(o.Latency), Location: o.Location, Body: string(o.Body[:min(len(o.Body), deliver.MaxResponse)]), Diagnosis: Diagnosis(o),
	}
	if o.Err != nil {
		v.Error = o.Err.Error()
	}
	return v
}

// Milliseconds writes a time as programs read it, with microseconds behind the
// point.
func Milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / float64(time.Millisecond/time.Microsecond)
}

// JSON returns the delivery as programs read it.
func (s Sent) JSON() ([]byte, error) { return Marshal(s.value()) }

// ForwardJSON is [Sent.JSON] for a delivery that was sent on, as a line of the
// format of that version in which deliveries are written. Its id is that of the
// delivery.
func (s Sent) ForwardJSON(version int, id uint64) ([]byte, error) {
	v := s.value()
	v.ID, v.Diagnosis = id, ForwardDiagnosis(&s.Outcome)
	return Marshal(struct {
		V    int    `json:"v"`
		Kind string `json:"kind"`
		sentJSON
	}{version, "forward", v})
}

// Verdict says in a few words what a payload was found to be.
func Verdict(r *validate.Result) string {
	if !r.Known {
		for _, p := range r.Problems {
			switch p.Keyword {
			case schema.KeywordSyntax, schema.KeywordEncoding:
				return "not JSON"
			}
		}
		if r.Event != "" {
			return "unknown event"
		}
		return "no event"
	}
	if !r.Valid() {
		return "invalid"
	}
	if n := len(r.Problems); n > 0 {
		return "valid, " + Count(n, "warning")
	}
	return "valid"
}

func (s Style) verdict(r *validate.Result, width int) string {
	text := pad(Verdict(r), width)
	switch {
	case r.Known && r.Valid() && len(r.Problems) == 0:
		return s.good(text)
	case r.Known && r.Valid():
		return s.warn(text)
	}
	return s.bad(text)
}

const clock = "15:04:05.000"

// Received writes the line of a delivery that arrived.
func (s Style) Received(d *webhook.Delivery, r *validate.Result) string {
	event := r.Event
	if event == "" {
		event = "-"
	}
	// Names of events and verdicts are mostly this long: the columns align.
	const nameWidth, verdictWidth = 18, 7
	answer := ""
	switch {
	case d.Status == 0:
		answer = "  " + s.bad("dropped")
	case d.Status >= http.StatusMultipleChoices:
		answer = "  " + s.bad(fmt.Sprintf("answered %d", d.Status))
	}
	return fmt.Sprintf("%s  %s  %s  %s  %s%s", s.faint(d.Received.Format(clock)),
		s.strong(pad(Excerpt([]byte(event), maxName), nameWidth)), s.verdict(r, verdictWidth),
		Excerpt([]byte(d.URL), maxURL), s.faint(Size(int64(len(d.Body)))), answer)
}

// pad fills text with spaces to n columns.
func pad(text string, n int) string {
	return text + strings.Repeat(" ", max(n-utf8.RuneCountInString(text), 0))
}

// What one line shows of texts that a sender chooses, in columns.
const (
	maxName = 60
	maxURL  = 100
)

// Probe writes the line of a request that asks only whether the URL is there.
func (s Style) Probe(d *webhook.Delivery) string {
	answer := fmt.Sprintf("answered with %d", d.Status)
	if d.Status == 0 {
		answer = "dropped"
	}
	return fmt.Sprintf("%s  %s  %s", s.faint(d.Received.Format(clock)), Safe(d.Method), s.faint(Excerpt([]byte(d.URL), maxURL)+"  probe, "+answer))
}

// Body writes a body under the line of its delivery: JSON pretty and coloured,
// other text made safe, anything else in hexadecimal; and below it the
// problems.
func (s Style) Body(body []byte, r *validate.Result) string {
	var b strings.Builder
	switch {
	case len(body) == 0:
		b.WriteString(s.faint("(no body)") + "\n")
	case !notJSON(r):
		b.Write(s.JSON(body))
	case printable(body):
		for line := range strings.Lines(string(body[:min(len(body), maxText)])) {
			b.WriteString(Safe(strings.TrimRight(line, "\r\n")) + "\n")
		}
		if len(body) > maxText {
			b.WriteString(s.faint(fmt.Sprintf("(%s more)", Size(int64(len(body)-maxText)))) + "\n")
		}
	default:
		b.WriteString(s.faint(hex.Dump(body[:min(len(body), maxHex)])))
		if len(body) > maxHex {
			b.WriteString(s.faint(fmt.Sprintf("(%s more)", Size(int64(len(body)-maxHex)))) + "\n")
		}
	}
	shown := r.Problems
	if len(shown) > maxShown {
		shown = shown[:maxShown]
	}
	for _, p := range shown {
		b.WriteString("  " + s.Problem(p) + "\n")
	}
	if more := len(r.Problems) - len(shown); more > 0 {
		b.WriteString("  " + s.faint("and "+Count(more, "more problem")) + "\n")
	}
	return b.String()
}

// How much of a body that is not JSON is shown, in bytes, and how many
// problems are listed under one body.
const (
	maxText  = 4 << 10
	maxHex   = 256
	maxShown = 20
)

func notJSON(r *validate.Result) bool {
	return slices.ContainsFunc(r.Problems, func(p schema.Problem) bool {
		return p.Keyword == schema.KeywordSyntax || p.Keyword == schema.KeywordEncoding
	})
}

// Cause returns what an error of the file system is about, without the
// operation that met it.
func Cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// NetworkCause returns what an error of a connection is about, without the
// operation and the addresses.
func NetworkCause(err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New(dns.Err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		err = call.Err
	}
	return err
}
