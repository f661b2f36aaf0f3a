package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

const program = "jc-webhooks"

// version is set by the release build; see versionText.
var version string

// versionText says which build this is: the version that the linker was given,
// else that of the module or the revision that it was built from.
func versionText() string {
	v, revision := version, ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if v == "" {
			v = strings.Trim(info.Main.Version, "()")
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " (" + s.Value[:min(12, len(s.Value))] + ")"
			}
		}
	}
	if v == "" {
		v = "devel"
	}
	return v + revision
}

// userAgent is what deliveries say that they come from.
func userAgent() string { return program + "/" + strings.Fields(versionText())[0] }

// Command returns the command tree, for programs that write completions and
// manual pages. To run it, call [Main].
func Command() *cobra.Command {
	return newApp(Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: func(string) string { return "" }, Now: time.Now}).root()
}

// root builds the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   program,
		Short: "Send, receive and judge JustCall webhooks",
		Long: `Send, receive and judge JustCall webhooks.

For people who build handlers of JustCall's events: send documented events to
a handler, see what arrives, and let CI judge captured payloads.`,
		Example: examples(`  jc-webhooks demo                    # the whole tool at work
  jc-webhooks listen                  # in one terminal
  jc-webhooks send {2}     # in another one
  jc-webhooks send --all --to 3000    # to your handler on port 3000
  jc-webhooks validate events.ndjson  # in CI`),
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			hint := "see `" + program + " --help`"
			cmd.SuggestionsMinimumDistance = 2
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = "did you mean `" + program + " " + near[0] + "`?"
			}
			return usage(hint, "unknown command %q", args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.fromEnvironment(cmd.Flags()); err != nil {
				return err
			}
			a.out, a.err = a.style(a.env.Stdout), a.style(a.env.Stderr)
			return nil
		},
	}
	cobra.AddTemplateFunc("flagUsages", flagUsages)
	root.SetUsageTemplate(groupedUsage(root.UsageTemplate()))
	root.SetIn(a.env.Stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate(program + " {{.Version}} " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		a.err = a.style(a.env.Stderr)
		a.complain(errors.New(plainly(err.Error())), "")
		fmt.Fprintf(a.stderr, "usage: %s\n", cmd.UseLine())
		a.hint("see `" + cmd.CommandPath() + " --help`")
		return errTold
	})
	flags := root.PersistentFlags()
	a.color = "auto"
	flags.Var(&enum{value: &a.color, allowed: []string{"auto", "always", "never"}}, "color", "when to use colours: auto, always or never")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "say nothing but data and errors")
	flags.StringArrayVar(&a.eventsDirs, "events-dir", nil, "folder of event types, NAME.json and NAME.schema.json, that add to\nthe bundled ones or replace them (repeatable)")
	complete(root, "color", "auto", "always", "never")
	must(root.MarkPersistentFlagDirname("events-dir"))

	root.SetHelpCommand(&cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about a command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usage("see `"+program+" --help`", "unknown command %q", strings.Join(args, " "))
			}
			return cmd.Help()
		},
	})
	root.AddCommand(a.demoCommand(), a.eventsCommand(), a.sendCommand(), a.listenCommand(), a.validateCommand(), a.replayCommand(),
		a.scenariosCommand(), a.signCommand(), a.verifyCommand(), a.testCommand())
	return root
}

// examples fills the names of bundled event types into a text: {1} is the first.
func examples(text string) string {
	files, err := fs.Glob(fixtures.FS, "*.schema.json")
	must(err)
	for i, file := range files {
		text = strings.ReplaceAll(text, "{"+strconv.Itoa(i+1)+"}", strings.TrimSuffix(file, ".schema.json"))
	}
	return text
}

// An enum is a flag with a few values; it refuses others.
type enum struct {
	value   *string
	allowed []string
}

func (e *enum) String() string {
	if e.value == nil {
		return ""
	}
	return *e.value
}

// Type is what help shows for the value.
func (*enum) Type() string { return "string" }

// Set refuses a value that is not allowed.
func (e *enum) Set(s string) error {
	if !slices.Contains(e.allowed, s) {
		return fmt.Errorf("want %s", schema.Alternatives(e.allowed))
	}
	*e.value = s
	return nil
}

// must stops the program for a fault that every run would have.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func complete(cmd *cobra.Command, flag string, values ...string) {
	must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)))
}

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "JC_WEBHOOKS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnvironment sets the flags that were not given from the environment. Of a
// flag that can be repeated, each line of the variable is one value; of
// folders, each part of a path list.
func (a *app) fromEnvironment(flags *pflag.FlagSet) error {
	var failed error
	flags.VisitAll(func(f *pflag.Flag) {
		name := variable(f.Name)
		value := a.env.Getenv(name)
		if value == "" || f.Changed || failed != nil || f.Name == "help" || f.Name == "version" || excluded(flags, f) {
			return
		}
		values := []string{value}
		if _, ok := f.Value.(pflag.SliceValue); ok {
			values = strings.Split(strings.TrimRight(value, "\n"), "\n")
			if f.Name == "events-dir" {
				values = filepath.SplitList(value)
			}
		}
		for _, v := range values {
			if err := flags.Set(f.Name, v); err != nil {
				failed = usage("it stands for the flag --"+f.Name, "invalid value %q for %s: %s", v, name, plainly(flagCause(err).Error()))
				return
			}
		}
	})
	return failed
}

// internals are what the standard library puts into the errors of values.
var internals = regexp.MustCompile(`strconv\.Parse\w+: parsing "[^"]*": |time: `)

// plainly takes the names of functions out of a message.
func plainly(text string) string {
	plain := strings.Replace(internals.ReplaceAllString(text, ""), "invalid syntax", "it cannot be read", 1)
	if strings.Contains(plain, "duration") {
		plain += " (a time looks like 500ms or 10s)"
	}
	return plain
}

// excluded reports whether a flag that was given rules this one out.
func excluded(flags *pflag.FlagSet, f *pflag.Flag) bool {
	const annotation = "cobra_annotation_mutually_exclusive" // as cobra's MarkFlagsMutuallyExclusive sets it
	for _, group := range f.Annotations[annotation] {
		for name := range strings.FieldsSeq(group) {
			if other := flags.Lookup(name); other != nil && other != f && other.Changed {
				return true
			}
		}
	}
	return false
}

// flagCause drops what pflag says around the error of a value.
func flagCause(err error) error {
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return invalid.Unwrap()
	}
	return err
}

// A dirFS is a folder that says its name in errors.
type dirFS struct {
	fs.FS

	name string
}

func (d dirFS) String() string { return d.name }

// again is a command line with the event types of this one.
func (a *app) again(args string) string {
	words := []string{program, args}
	for _, name := range a.eventsDirs {
		words = append(words, "--events-dir", report.Quote(name))
	}
	return strings.Join(words, " ")
}

// eventsDir is a folder of --events-dir.
func eventsDir(name string) fs.FS { return dirFS{os.DirFS(name), filepath.ToSlash(name)} }

// catalog loads the bundled event types and those of --events-dir.
func (a *app) catalog() (*webhook.Catalog, error) {
	folders := []fs.FS{fixtures.FS}
	for _, name := range a.eventsDirs {
		folder := eventsDir(name)
		own, err := webhook.LoadCatalog(folder)
		if err == nil {
			err = validate.CheckCatalog(own)
		}
		if err != nil {
			return nil, usage("", "load event types: %w", err)
		}
		folders = append(folders, folder)
	}
	c, err := webhook.LoadCatalog(folders...)
	if err != nil {
		return nil, usage("", "load event types: %w", err)
	}
	return c, nil
}

// judge loads the event types and makes a checker for them.
func (a *app) judge(o validate.Options) (*webhook.Catalog, *validate.Checker, error) {
	c, err := a.catalog()
	if err != nil {
		return nil, nil, err
	}
	checker, err := validate.NewChecker(c, o)
	return c, checker, err
}

// lookup finds event types by name.
func lookup(c *webhook.Catalog, names []string) ([]*webhook.Type, error) {
	types := make([]*webhook.Type, len(names))
	for i, name := range names {
		t, ok := c.Lookup(name)
		if !ok {
			known := "the event types are " + strings.Join(c.Names(), ", ")
			if before, _, ok := strings.Cut(name, "="); ok {
				known = "a value to set is written `--set " + name + "`"
				if _, ok := c.Lookup(before); ok {
					known = "weights are for a load test: add --rate, --count or --duration"
				}
			}
			if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
				known = "a payload of yours is sent with `--file " + name + "`"
			}
			if near := schema.Nearest(name, c.Names(), 3); len(near) > 0 {
				return nil, usage(known, "unknown event type %q; did you mean %s?", name, schema.Alternatives(near))
			}
			return nil, usage(known, "unknown event type %q", name)
		}
		types[i] = t
	}
	return types, nil
}

// completeEvents completes the names of event types, each with its
// description.
func (a *app) completeEvents(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if err := a.fromEnvironment(cmd.Flags()); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	c, err := a.catalog()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []cobra.Completion
	for _, t := range c.Types() {
		if !slices.Contains(args, t.Name) {
			names = append(names, cobra.CompletionWithDesc(t.Name, t.Description))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// safeLines makes text safe for a terminal, line by line.
func safeLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = report.Safe(lines[i])
	}
	return strings.Join(lines, "\n")
}
