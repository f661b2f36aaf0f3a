package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jc-webhooks/jc-webhooks/pkg/check"
	"github.com/jc-webhooks/jc-webhooks/pkg/deliver"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
)

// testOptions are what the flags of test fill.
type testOptions struct {
	deadline   time.Duration
	only, skip []string
	list       bool
	format     string
	secretFile string
	url        string
	header     []string
	insecure   bool
	counter    string
	seed       uint64
	seeded     bool
}

func (a *app) testCommand() *cobra.Command {
	var o testOptions
	cmd := &cobra.Command{
		Use:   "test [URL]",
		Short: "Ask a handler whether it copes",
		Long: fmt.Sprintf(`Make a list of checks of the handler at a URL, and print a verdict on each:
does it acknowledge every event, null and missing fields, events of types to
come, duplicates, many at once; does it survive what is not an event; and, with
the API secret, does it refuse what is not signed well.

Without a URL it is $JC_WEBHOOKS_TO, else %s. It takes some 250
requests. The exit code is 1 when a check failed.`, defaultURL),
		Example: examples(`  jc-webhooks test 3000
  JC_WEBHOOKS_SECRET=... jc-webhooks test localhost:3000/hooks --url https://example.com/hooks
  jc-webhooks test 3000 --only payloads --skip null-fields
  jc-webhooks test 3000 --count-command "sqlite3 app.db 'select count(*) from bookings'"
  jc-webhooks test --list`),
		Args: maximumArgs(1, "one handler at a time"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.seeded = cmd.Flags().Changed("seed")
			return a.test(cmd.Context(), args, &o)
		},
	}
	o.format = report.CheckFormats[0]
	f := cmd.Flags()
	f.DurationVar(&o.deadline, "deadline", check.DefaultDeadline, "how long one answer may take")
	f.StringArrayVar(&o.only, "only", nil, "make the checks that this `pattern` selects: null-fields, payloads,\n'events/sms.*' (repeatable)")
	f.StringArrayVar(&o.skip, "skip", nil, "leave out the checks that this `pattern` selects (repeatable)")
	f.BoolVar(&o.list, "list", false, "list the checks and make none")
	f.Var(&enum{value: &o.format, allowed: report.CheckFormats}, "format", "how to report: text, json or junit")
	f.StringVar(&o.secretFile, "secret-file", "", "sign with the API secret in this `file`; or set\n"+secretVariable)
	f.StringVar(&o.url, "url", "", "the `URL` that the handler believes in, which is part of what is signed (default the URL that is tested)")
	f.StringArrayVar(&o.header, "header", nil, "add a header to every request, as `\"Name: value\"` (repeatable)")
	f.BoolVar(&o.insecure, "insecure", false, "accept any certificate")
	f.StringVar(&o.counter, "count-command", "", "a shell `command` that prints how much the handler has done, as a number:\nduplicates must not change it")
	f.Uint64Var(&o.seed, "seed", 0, "the `number` that ids are made from, to have the same once more")
	complete(cmd, "format", report.CheckFormats...)
	must(cmd.MarkFlagFilename("secret-file"))
	must(cmd.RegisterFlagCompletionFunc("only", a.completeChecks))
	must(cmd.RegisterFlagCompletionFunc("skip", a.completeChecks))
	return cmd
}

// completeChecks completes the names of checks and of their groups.
func (a *app) completeChecks(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if err := a.fromEnvironment(cmd.Flags()); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	c, err := a.catalog()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	checks := check.List(c)
	names := check.Groups(checks)
	for _, one := range checks {
		names = append(names, cobra.CompletionWithDesc(one.ID(), one.What))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) test(ctx context.Context, args []string, o *testOptions) error {
	c, err := a.catalog()
	if err != nil {
		return err
	}
	checks, err := selectChecks(check.List(c), o)
	if err != nil {
		return err
	}
	if o.list {
		_, err = io.WriteString(a.stdout, a.out.CheckList(checks))
		return err
	}
	options, err := a.checkOptions(args, o)
	if err != nil {
		return err
	}
	suite, err := check.New(c, options)
	if err != nil {
		return usage("", "%w", err)
	}
	if options.Count != nil {
		if _, countErr := options.Count(ctx); countErr != nil && ctx.Err() != nil {
			return ctx.Err()
		} else if countErr != nil {
			return usage("it is run by the shell, and prints one whole number", "the count command failed: %w", countErr)
		}
	}
	if err := suite.Reach(ctx); err != nil {
		if unreachable, ok := errors.AsType[*check.UnreachableError](err); ok {
			fault, hint := report.Unreachable(redacted(options.URL), unreachable)
			return usage(hint, "%s", fault)
		}
		return err
	}
	return a.runChecks(ctx, suite, checks, &report.CheckReport{URL: redacted(options.URL), Seed: options.Seed, Begin: a.env.Now()}, o)
}

// selectChecks reads --only and --skip.
func selectChecks(checks []*check.Check, o *testOptions) ([]*check.Check, error) {
	selected, err := check.Select(checks, o.only, o.skip)
	if err != nil {
		hint := "`" + program + " test --list` lists the checks"
		names := check.Groups(checks)
		for _, c := range checks {
			names = append(names, c.Name, c.ID())
		}
		for _, pattern := range append(append([]string{}, o.only...), o.skip...) {
			if near := schema.Nearest(pattern, names, 3); len(near) > 0 && near[0] != pattern {
				hint = "did you mean " + schema.Alternatives(near) + "? " + hint
				break
			}
		}
		return nil, usage(hint, "%w", err)
	}
	if len(selected) == 0 {
		return nil, usage("", "--skip leaves no check of those that --only selects")
	}
	return selected, nil
}

// checkOptions reads the other flags.
func (a *app) checkOptions(args []string, o *testOptions) (check.Options, error) {
	options := check.Options{
		Deadline: o.deadline, UserAgent: userAgent(), Insecure: o.insecure, Seed: o.seed, Registered: o.url, Now: a.env.Now,
	}
	text := a.env.Getenv(variable("to"))
	switch {
	case len(args) > 0:
		text = args[0]
	case text == "":
		text = defaultURL
	}
	target, err := deliver.ParseURL(text)
	if err != nil {
		return options, usage("a URL looks like http://127.0.0.1:3000/hooks, or 3000 for short", "%w", err)
	}
	options.URL = target.String()
	if options.Header, err = headers(o.header); err != nil {
		return options, err
	}
	if o.deadline <= 0 {
		return options, usage("a time looks like 500ms or 5s", "the deadline %v is not above 0", o.deadline)
	}
	if options.Secret, err = a.secret(o.secretFile); err != nil {
		return options, err
	}
	if options.Secret == "" && o.url != "" {
		return options, usage("set "+secretVariable+", or name a --secret-file", "--url is part of what is signed, and there is no secret to sign with")
	}
	if !o.seeded && o.seed == 0 {
		options.Seed = rand.Uint64N(1e6) //nolint:gosec // chance, and no secret
	}
	if o.counter != "" {
		options.Count = func(ctx context.Context) (int64, error) { return count(ctx, o.counter) }
	}
	return options, nil
}

// countTimeout bounds one run of the count command.
const countTimeout = 10 * time.Second

// count runs a command by the shell and reads the number that it prints.
func count(ctx context.Context, command string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	shell := []string{"sh", "-c", command}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd", "/C", command}
	}
	cmd := exec.CommandContext(ctx, shell[0], shell[1:]...) //nolint:gosec // to run what the user names is the point
	cmd.WaitDelay = time.Second                             // for what the shell has started
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if text := strings.TrimSpace(stderr.String()); text != "" {
			err = fmt.Errorf("%w: %s", err, report.Excerpt([]byte(text), maxPathLength))
		}
		return 0, err
	}
	text := strings.TrimSpace(string(out))
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("it printed %q, want a whole number", report.Excerpt([]byte(text), maxPathLength))
	}
	return n, nil
}

// runChecks makes the checks and reports them: text as they come, the other
// formats at the end, and nothing of a run that was interrupted.
func (a *app) runChecks(ctx context.Context, suite *check.Suite, checks []*check.Check, r *report.CheckReport, o *testOptions) error {
	text := o.format == report.CheckFormats[0]
	if text && !a.quiet {
		fmt.Fprintf(a.stdout, "%s %s\n", a.out.Strong("testing "+report.Safe(r.URL)), a.out.Faint(fmt.Sprintf("(--seed %d)", r.Seed)))
	}
	group := ""
	var unmade []check.Result // of one group, for one reason
	flush := func() {
		if len(unmade) > 0 {
			fmt.Fprint(a.stdout, a.out.UnmadeLine(unmade))
		}
		unmade = nil
	}
	err := suite.Run(ctx, checks, func(result check.Result) error {
		r.Add(result)
		if !text {
			return nil
		}
		if len(unmade) > 0 && (result.Check.Group != group || result.Verdict.Reason != unmade[0].Verdict.Reason) {
			flush()
		}
		if result.Check.Group != group && !a.quiet {
			fmt.Fprintf(a.stdout, "\n%s\n", a.out.Strong(result.Check.Group))
		}
		group = result.Check.Group
		if result.Verdict.Kind == check.Skip || result.Verdict.Kind == check.Blocked {
			unmade = append(unmade, result)
		} else {
			fmt.Fprint(a.stdout, a.out.CheckLine(&result))
		}
		return a.stdout.err
	})
	flush()
	r.Took = a.env.Now().Sub(r.Begin)
	switch {
	case err != nil:
		return err
	case o.format == "json":
		err = r.WriteJSON(a.stdout)
	case o.format == "junit":
		err = r.WriteJUnit(a.stdout, strings.Fields(versionText())[0])
	case !a.quiet:
		fmt.Fprintf(a.stdout, "\n%s\n", a.out.CheckSummary(r))
	}
	if err != nil {
		return err
	}
	return a.concludeChecks(r)
}

// concludeChecks makes the exit code of a report.
func (a *app) concludeChecks(r *report.CheckReport) error {
	if sum := r.Summary; sum.Skipped == sum.Checks {
		return usage("`"+program+" test --list` lists the checks", "no check was made: all that were selected were skipped")
	}
	if r.Summary.OK() {
		return nil
	}
	for i := range r.Results {
		if one := &r.Results[i]; one.Verdict.Kind == check.Fail {
			if !a.quiet {
				a.hint(fmt.Sprintf("to make one check again, add `--only %s --seed %d`", one.Check.ID(), r.Seed))
			}
			break
		}
	}
	return errBad
}
