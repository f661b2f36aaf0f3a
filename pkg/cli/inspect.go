package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/inspect"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/signature"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// inspectOptions are what the flags about the page fill.
type inspectOptions struct {
	on   bool
	port uint16
}

const inspectPort = 2256 // the one after that of listen

func inspectFlags(cmd *cobra.Command, o *inspectOptions) {
	f := cmd.Flags()
	f.BoolVar(&o.on, "inspect", false, "serve a page for this machine on which deliveries are watched and sent on again")
	f.Uint16Var(&o.port, "inspect-port", inspectPort, "port of that page; 0 takes a free one")
}

// What of a body is shown on the page, in bytes.
const (
	maxRaw  = 4 << 20
	maxDump = 16 << 10
)

// openInspector opens the port of the page, which is never that of the listener:
// that one may be reachable from elsewhere.
func (r *receiver) openInspector(ctx context.Context) (net.Listener, error) {
	if !r.options.inspect.on {
		return nil, nil
	}
	return bind(ctx, defaultHost, r.options.inspect.port, "inspect-port")
}

// newInspector makes the page's server. listening is where deliveries arrive.
func (r *receiver) newInspector(listening string) *inspect.Server {
	o := inspect.Options{
		State: inspect.State{Version: versionText(), Listening: listening, Capture: r.options.record},
		Entry: func(d *webhook.Delivery) inspect.Entry {
			result := r.checker.Check(d.Body)
			return r.entry(d, &result, r.signature(d, result.Event))
		},
		Detail: func(d *webhook.Delivery) inspect.Detail { return r.detail(d, listening) },
	}
	if r.recorder != nil {
		o.Older = func(before uint64, n int) ([]*webhook.Delivery, error) {
			return capture.Before(r.options.record, before, n)
		}
	}
	if r.forward != nil {
		for _, t := range r.forward.targets {
			o.State.Targets = append(o.State.Targets, t.name)
		}
		o.Replay = r.replay
	}
	return inspect.New(o)
}

// signature verifies the signature of a delivery, if there is a secret.
func (r *receiver) signature(d *webhook.Delivery, event string) *signature.Result {
	if r.verifier == nil || isProbe(d) {
		return nil
	}
	s := verify(r.verifier, d, event)
	return &s
}

// isProbe reports whether a request only asks whether the URL is there.
func isProbe(d *webhook.Delivery) bool { return d.Method != http.MethodPost && len(d.Body) == 0 }

// entry is the line of a delivery in the page's list.
func (r *receiver) entry(d *webhook.Delivery, result *validate.Result, signed *signature.Result) inspect.Entry {
	e := inspect.Entry{
		ID: d.ID, Received: d.Received, Method: cut(d.Method, maxEvent), URL: cut(d.URL, maxURL), Event: cut(result.Event, maxEvent),
		Status: d.Status, Size: len(d.Body), Verdict: "probe", Level: inspect.None,
	}
	if isProbe(d) {
		return e
	}
	e.Summary, e.Verdict = report.SummaryLine(d.Body), report.Verdict(result)
	switch {
	case !result.Known || !result.Valid():
		e.Level = inspect.Bad
	case len(result.Problems) > 0:
		e.Level = inspect.Warn
	default:
		e.Level = inspect.Good
	}
	if signed != nil {
		e.Signature = &inspect.Signature{State: string(signed.Reason), Text: report.Signature(signed)}
	}
	return e
}

// detail is what the page shows of a delivery.
func (r *receiver) detail(d *webhook.Delivery, listening string) inspect.Detail {
	v := inspect.Detail{Remote: d.RemoteAddr, Header: d.Header, Summary: report.Summary(d.Body)}
	result := r.checker.Check(d.Body)
	shown := d.Body
	switch {
	case json.Valid(d.Body) && len(d.Body) <= maxRaw:
		pretty := report.Style{}.JSON(d.Body)
		v.Pretty, v.Raw = string(pretty), string(d.Body)
		result, shown = r.checker.Check(pretty), pretty
	case utf8.Valid(d.Body):
		end := len(d.Body)
		if end > maxRaw {
			v.Truncated = true
			for end = maxRaw; !utf8.RuneStart(d.Body[end]); {
				end--
			}
		}
		v.Raw = string(d.Body[:end])
	default:
		v.Binary, v.Truncated = true, len(d.Body) > maxDump
		v.Raw = hex.Dump(d.Body[:min(len(d.Body), maxDump)])
	}
	if !isProbe(d) {
		for _, p := range result.Problems {
			v.Problems = append(v.Problems, problem(p, shown))
		}
	}

	again := replayable(d)
	again.URL = strings.TrimSuffix(listening, "/") + requestPath(d)
	if r.forward != nil {
		again.URL = redacted(deliver.Forwarded(d, r.forward.targets[0].url).URL)
	}
	v.Curl = report.Curl(again)
	typ, known := r.catalog.Lookup(result.Event)
	if known && bytes.Equal(typ.Sample, d.Body) {
		v.Send = program + " send " + report.Quote(typ.Name) + " --to " + report.Quote(again.URL)
	} else {
		v.Send = sendCommand(again)
	}
	if v.Pretty != "" {
		name := "payload"
		if known {
			name = typ.Name
		}
		v.Fixture = &inspect.Fixture{Name: name + ".json", Text: v.Raw}
	}
	return v
}

// sendCommand is the command that sends a body which is no sample.
func sendCommand(d *webhook.Delivery) string {
	curl := report.Curl(&webhook.Delivery{Body: d.Body})
	if feed, _, ok := strings.Cut(curl, " | curl"); ok { // binary: it comes through a pipe already
		return feed + " | " + program + " send --file - --to " + report.Quote(d.URL)
	}
	return "printf %s " + report.Quote(string(d.Body)) + " | " + program + " send --file - --to " + report.Quote(d.URL)
}

// requestPath returns the path and the query at which a delivery was received.
func requestPath(d *webhook.Delivery) string {
	u, err := url.ParseRequestURI(d.URL)
	if err != nil || !strings.HasPrefix(u.RequestURI(), "/") {
		return "/"
	}
	return u.RequestURI()
}

// problem is a problem at its place in text.
func problem(p schema.Problem, text []byte) inspect.Problem {
	begin := min(max(int(p.Pos.Offset), 0), len(text))
	end := min(begin+p.Length, len(text))
	return inspect.Problem{
		Severity: p.Severity.String(), Message: p.Message, Pointer: p.Pointer,
		Line: p.Pos.Line, Column: p.Pos.Column, Length: max(utf8.RuneCount(text[begin:end]), 1),
	}
}

// replayable returns a copy of a delivery with the header fields that can be sent
// again: those that are end to end and were not redacted.
func replayable(d *webhook.Delivery) *webhook.Delivery {
	again := *d
	again.Header = deliver.EndToEnd(d.Header)
	maps.DeleteFunc(again.Header, func(_ string, values []string) bool { return slices.Contains(values, capture.Redacted) })
	return &again
}

// replay sends a delivery to a target once more, for the page.
func (r *receiver) replay(ctx context.Context, d *webhook.Delivery, i int, edited bool) inspect.Forward {
	one, outgoing := r.forward.begin(i, replayable(d))
	one.replay, one.edited = true, edited
	r.forward.tellBegun(one)
	r.forward.send(ctx, r.forward.client, one, outgoing)
	r.forward.tell(one)
	return pageForward(one)
}

// How much of texts that others choose is kept for each delivery, in bytes.
const (
	maxEvent = 200
	maxURL   = 2000
)

// cut returns the beginning of a text.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "..."
}

// pageForward is what came of sending a delivery on, for the page.
func pageForward(f *forwarded) inspect.Forward {
	o := &f.sent.Outcome
	v := inspect.Forward{
		Target: f.target, URL: cut(f.sent.URL, maxURL), Replay: f.replay, Edited: f.edited, Time: f.at,
		OK: o.OK(), Outcome: string(o.Class), Status: o.Status, LatencyMS: report.Milliseconds(o.Latency),
		Body: strings.ToValidUTF8(string(o.Body[:min(len(o.Body), maxShownBody)]), "\ufffd"), Note: report.ForwardDiagnosis(o),
	}
	if o.Err != nil {
		v.Error = cut(report.NetworkCause(o.Err).Error(), maxURL)
	}
	return v
}
