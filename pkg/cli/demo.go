package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/listen"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show the whole tool at work, in one process",
		Long: `Show the whole tool at work, in one process: every event type is sent to a
receiver on a free port of this machine, received, judged and printed; then a
broken payload, to show what a finding looks like. It ends by itself.`,
		Args: maximumArgs(0, "demo takes no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context()) },
	}
}

// demoTimeout bounds each step of the demo.
const demoTimeout = 2 * time.Second

func (a *app) demo(ctx context.Context) error {
	c, checker, err := a.judge(validate.Options{})
	if err != nil {
		return err
	}
	ln, err := bind(ctx, defaultHost, 0, "")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	arrived := make(chan *webhook.Delivery, 1)
	server := &listen.Server{Now: a.env.Now, Sinks: []listen.Sink{func(_ context.Context, d *webhook.Delivery) error {
		arrived <- d
		return nil
	}}}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()

	d := &demonstration{app: a, checker: checker, arrived: arrived, client: deliver.NewClient(deliver.Options{Timeout: demoTimeout, UserAgent: userAgent()})}
	d.url = "http://" + ln.Addr().String() + "/"
	if err := d.run(ctx, c); err != nil {
		return err
	}
	cancel()
	return <-served
}

// A demonstration sends payloads to a receiver in the same process.
type demonstration struct {
	app     *app
	checker *validate.Checker
	client  *deliver.Client
	arrived <-chan *webhook.Delivery
	url     string
}

func (d *demonstration) run(ctx context.Context, c *webhook.Catalog) error {
	out, style := d.app.stdout, d.app.out
	fmt.Fprintf(out, "%s\n\n", style.Strong(fmt.Sprintf("%s, sent to a receiver on %s in this process", report.Count(len(c.Types()), "event"), d.url)))
	for _, t := range c.Types() {
		got, r, outcome, err := d.send(ctx, t.Sample)
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		fmt.Fprintf(out, "%s\n", style.Received(got, r))
		switch {
		case !bytes.Equal(got.Body, t.Sample):
			return fmt.Errorf("%s: the body did not arrive as it was sent", t.Name)
		case r.Event != t.Name || !r.Valid():
			return fmt.Errorf("%s: judged to be %s", t.Name, report.Verdict(r))
		case !outcome.OK():
			return fmt.Errorf("%s: not acknowledged, but answered with %d", t.Name, outcome.Status)
		}
	}

	t, broken, field, err := d.breakOne(c)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\n\n", style.Strong(fmt.Sprintf("%s with a string where %s belongs", t.Name, field)))
	got, r, _, err := d.send(ctx, broken)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n%s\n", style.Received(got, r), style.Body(got.Body, r))
	if !slices.ContainsFunc(r.Problems, func(p schema.Problem) bool { return p.Severity == schema.Error && p.Pointer == field }) {
		return errors.New("the broken payload was not found out")
	}
	fmt.Fprintf(out, `%s
  %s listen               # in one terminal: shows what arrives
  %s send %s   # in another one: posts a sample
  %s validate FILE...     # in CI: judges captured payloads
  %s test 3000            # asks the handler on port 3000 whether it copes
`, style.Strong("Try next:"), program, program, t.Name, program, program)
	return nil
}

// send delivers one payload and returns what arrived and the verdict on it.
func (d *demonstration) send(ctx context.Context, body []byte) (*webhook.Delivery, *validate.Result, deliver.Outcome, error) {
	outcome := d.client.Do(ctx, &webhook.Delivery{URL: d.url, Body: body})
	if outcome.Err != nil {
		return nil, nil, outcome, outcome.Err
	}
	select {
	case got := <-d.arrived:
		r := d.checker.Check(got.Body)
		return got, &r, outcome, nil
	case <-time.After(demoTimeout):
		return nil, nil, outcome, errors.New("acknowledged, but not received")
	}
}

// breakOne returns a sample in which an integer was made a string, and the
// field's pointer.
func (d *demonstration) breakOne(c *webhook.Catalog) (*webhook.Type, []byte, string, error) {
	for _, t := range c.Types() {
		all, err := fields(d.checker, t)
		if err != nil {
			return nil, nil, "", err
		}
		for _, f := range all {
			value := gjson.GetBytes(t.Sample, sjsonPath(f.Path))
			if slices.Equal(f.Types, []string{"integer"}) && value.Type == gjson.Number {
				broken, err := assignment{path: f.Path, raw: `"` + value.Raw + `"`}.apply(t.Sample)
				return t, broken, f.Pointer(), err
			}
		}
	}
	return nil, nil, "", errors.New("no event type has an integer to break")
}
