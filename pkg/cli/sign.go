package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/textproto"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jc-webhooks/jc-webhooks/pkg/capture"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/signature"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// signOptions are what the flags of sign fill.
type signOptions struct {
	secretFile, url, timestamp, fault string
	asJSON                            bool
}

func (a *app) signCommand() *cobra.Command {
	var o signOptions
	cmd := &cobra.Command{
		Use:   "sign EVENT --url URL",
		Short: "Print the signature headers of a delivery",
		Long: `Print the three header fields with which JustCall signs a delivery of an event
type to a registered URL. The body is no part of what is signed.

The API secret comes from ` + secretVariable + ` or --secret-file, never from an argument.`,
		Example: examples(`  jc-webhooks sign {2} --url https://example.com/hooks
  jc-webhooks sign {2} --url https://example.com/hooks --timestamp '2026-03-12 14:30:00'`),
		ValidArgsFunction: a.completeEvents,
		RunE:              func(_ *cobra.Command, args []string) error { return a.sign(args, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.secretFile, "secret-file", "", "sign with the API secret in this `file`; or set "+secretVariable)
	f.StringVar(&o.url, "url", "", "the `URL` that is registered with JustCall, exactly")
	f.StringVar(&o.timestamp, "timestamp", "", "the `time` of the request, as YYYY-MM-DD HH:MM:SS in UTC (default now)")
	f.Var(&enum{value: &o.fault, allowed: names(signature.Faults)}, "bad-signature", "sign wrongly: "+schema.Alternatives(names(signature.Faults)))
	f.BoolVar(&o.asJSON, "json", false, "write a JSON object")
	complete(cmd, "bad-signature", names(signature.Faults)...)
	return cmd
}

func (a *app) sign(args []string, o signOptions) error {
	if len(args) != 1 {
		return usage("an event type is named like in `"+program+" events`", "sign takes one event type, got %d", len(args))
	}
	if err := checkSignedURL(o.url); err != nil {
		return err
	}
	secret, err := a.secret(o.secretFile)
	switch {
	case err != nil:
		return err
	case secret == "":
		return usage("set "+secretVariable+", or name a --secret-file", "no secret to sign with")
	case o.url == "":
		return usage("name the URL that is registered with JustCall with --url", "the URL is part of what is signed")
	}
	now := a.env.Now()
	if o.timestamp != "" {
		if now, err = time.Parse(signature.TimeFormat, o.timestamp); err != nil {
			return usage("", "the timestamp %q, want one like %q", o.timestamp, signature.TimeFormat)
		}
	}
	c, err := a.catalog()
	if err != nil {
		return err
	}
	event := args[0]
	if t, ok := c.Lookup(event); ok {
		event = t.Value
	} else {
		a.say("%s no event type of the catalog is %q; it is signed all the same", a.err.Note("note:"), event)
	}
	header := signature.Fault(o.fault).Headers(secret, o.url, event, now)
	if o.asJSON {
		return a.writeJSON(header)
	}
	for _, name := range []string{signature.HeaderSignature, signature.HeaderVersion, signature.HeaderTimestamp} {
		if value, ok := header[name]; ok {
			fmt.Fprintf(a.stdout, "%s: %s\n", name, value)
		}
	}
	return nil
}

// checkOptions are what the flags of verify fill.
type checkOptions struct {
	verify verifyOptions
	ids    []string
	header []string
	event  string
	body   string
	asJSON bool
}

func (a *app) verifyCommand() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "verify [FILE] --url URL",
		Short: "Verify the signature of a delivery, and say why it is bad",
		Long: `Verify the signatures of the deliveries in a capture, or of one delivery whose
header fields are in a file, one a line as curl or a log prints them, or in
--header. A request line before them and a body behind an empty line are fine.

A recorded delivery is judged by the time at which it was received. The exit code
is 1 when a signature is not valid.`,
		Example: examples(`  jc-webhooks verify capture.ndjson --url https://example.com/hooks
  jc-webhooks verify capture.ndjson --id 17 --url https://example.com/hooks
  jc-webhooks verify headers.txt --event {2} --url https://example.com/hooks`),
		Args: maximumArgs(1, "verify takes one file"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.check(cmd.Context(), args, o) },
	}
	f := cmd.Flags()
	verifyFlags(cmd, &o.verify)
	f.StringArrayVar(&o.ids, "id", nil, "only the delivery with this id, or those of a range, `N[-M]` (repeatable)")
	f.StringArrayVar(&o.header, "header", nil, "a header field of the delivery, as `\"Name: value\"` (repeatable)")
	f.StringVar(&o.event, "event", "", "the event `type`, where there is no body that names it")
	f.StringVar(&o.body, "body", "", "the body, in this `file`: it names the event type, and helps to say what went wrong")
	f.BoolVar(&o.asJSON, "json", false, "write one JSON object per delivery")
	must(cmd.RegisterFlagCompletionFunc("event", a.completeEvents))
	return cmd
}

// check verifies what the arguments name.
func (a *app) check(ctx context.Context, args []string, o checkOptions) error {
	if o.verify.url == "" {
		return usage("name the URL that is registered with JustCall with --url", "the URL is part of what is signed")
	}
	v, err := a.verifier(&o.verify)
	if err != nil {
		return err
	}
	_, checker, err := a.judge(validate.Options{})
	if err != nil {
		return err
	}
	s, err := a.parseSelection(&replayOptions{ids: o.ids})
	if err != nil {
		return err
	}
	verified, bad := 0, false
	err = a.eachToVerify(args, &o, func(d *webhook.Delivery) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		event := o.event
		if event == "" {
			event = checker.Check(d.Body).Event
		}
		if !s.wants(d, event) {
			return nil
		}
		r := verify(v, d, event)
		verified++
		bad = bad || r.Reason != signature.Valid
		return a.tellVerified(d, event, &r, o.asJSON)
	})
	switch {
	case err != nil:
		return err
	case verified == 0:
		return usage("", "no delivery to verify")
	case bad:
		return errBad
	}
	return nil
}

func (a *app) tellVerified(d *webhook.Delivery, event string, r *signature.Result, asJSON bool) error {
	if asJSON {
		return a.writeLine(report.Marshal(struct {
			ID    uint64           `json:"id,omitempty"`
			Event string           `json:"event"`
			State signature.Reason `json:"signature"`
			Note  string           `json:"signature_note"`
		}{d.ID, event, r.Reason, report.Signature(r)}))
	}
	label := report.Excerpt([]byte(event), 60)
	if d.ID > 0 {
		label = fmt.Sprintf("[%d] %s", d.ID, label)
	}
	fmt.Fprintln(a.stdout, strings.TrimPrefix(label+": ", ": ")+a.out.SignatureLine(r))
	return nil
}

// eachToVerify visits the deliveries of a capture, or one that is made of header
// fields.
func (a *app) eachToVerify(args []string, o *checkOptions, visit func(*webhook.Delivery) error) error {
	d := &webhook.Delivery{Header: map[string][]string{}}
	if len(args) > 0 {
		src, closeFile, err := a.open(args[0])
		if err != nil {
			return err
		}
		defer closeFile()
		buffered := bufio.NewReader(src)
		if begin, _ := buffered.Peek(len(capture.Prefix)); string(begin) == capture.Prefix {
			if len(o.header) > 0 || o.body != "" {
				return usage("", "--header and --body are about one delivery, and %s is a capture", fileLabel(args[0]))
			}
			return a.visitCapture(args[0], buffered, visit)
		}
		text, err := readPayload(args[0], buffered)
		if err != nil {
			return err
		}
		if d.Header, d.Body, err = parseRequest(text); err != nil {
			return usage("it holds lines such as "+signature.HeaderVersion+": "+signature.Version, "read the header in %s: %w", fileLabel(args[0]), err)
		}
	} else if len(o.header) == 0 {
		return usage("name a capture, a file with header fields, or --header", "no delivery to verify")
	}
	given, err := headers(o.header)
	if err != nil {
		return err
	}
	maps.Copy(d.Header, given)
	if o.body != "" {
		if d.Body, err = a.readFile(o.body); err != nil {
			return err
		}
	}
	if o.event == "" && len(d.Body) == 0 {
		return usage("name it with --event, or the body with --body", "the event type is part of what is signed")
	}
	return visit(d)
}

func (a *app) visitCapture(name string, src io.Reader, visit func(*webhook.Delivery) error) error {
	r := capture.NewReader(src)
	broken := false
	for {
		d, err := r.Next()
		var line *capture.RecordError
		switch {
		case errors.Is(err, io.EOF):
			if torn := r.Torn(); torn != nil {
				a.complain(fmt.Errorf("capture %s: %w", fileLabel(name), torn), "")
			}
			if broken {
				return errTold
			}
			return nil
		case errors.As(err, &line):
			a.complain(fmt.Errorf("capture %s: %w", fileLabel(name), err), "")
			broken = true
			continue
		case err != nil:
			return usage("", "capture %s: %w", fileLabel(name), err)
		}
		if err := visit(d); err != nil {
			return err
		}
	}
}

// parseRequest reads header fields, one a line, with a request line before them
// or not, and a body behind an empty line or not.
func parseRequest(text []byte) (header map[string][]string, body []byte, err error) {
	text = bytes.TrimLeft(text, "\r\n")
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	if bytes.HasPrefix(text, []byte("> ")) || bytes.HasPrefix(text, []byte("< ")) { // as curl -v prints them
		text = bytes.ReplaceAll(bytes.ReplaceAll(bytes.TrimPrefix(bytes.TrimPrefix(text, []byte("> ")), []byte("< ")), []byte("\n> "), []byte("\n")), []byte("\n< "), []byte("\n"))
		first, rest, _ = bytes.Cut(text, []byte("\n"))
	}
	if name, _, ok := bytes.Cut(first, []byte(":")); !ok || bytes.ContainsRune(bytes.TrimSpace(name), ' ') {
		text = rest // a request line, or that of a response
	}
	end, gap := len(text), 0
	for _, empty := range []string{"\r\n\r\n", "\n\n"} {
		if i := bytes.Index(text, []byte(empty)); i >= 0 && i < end {
			end, gap = i, len(empty)
		}
	}
	src := io.MultiReader(bytes.NewReader(text[:end]), strings.NewReader("\r\n\r\n"))
	h, err := textproto.NewReader(bufio.NewReader(src)).ReadMIMEHeader()
	return h, text[end+gap:], err
}
