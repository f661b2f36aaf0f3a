package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

func (a *app) eventsCommand() *cobra.Command {
	var asJSON, sample, source bool
	cmd := &cobra.Command{
		Use:   "events [NAME]",
		Short: "Show the event types, or one of them with its fields and sample",
		Long: `Show the event types: when each fires and how many fields it has.

With a name, show when the event fires, its fields, and the sample payload.`,
		Example: examples(`  jc-webhooks events
  jc-webhooks events {2}
  jc-webhooks events {2} --sample > payload.json`),
		Args:              maximumArgs(1, "one event type at a time"),
		ValidArgsFunction: a.completeEvents,
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := a.catalog()
			if err != nil {
				return err
			}
			types := c.Types()
			if len(args) > 0 {
				if types, err = lookup(c, args); err != nil {
					return err
				}
			} else if sample || source {
				flag := "--sample"
				if source {
					flag = "--schema"
				}
				return usage("try `jc-webhooks events "+types[0].Name+" "+flag+"`", "--sample and --schema need the name of an event type")
			}
			checker, err := validate.NewChecker(c, validate.Options{})
			if err != nil {
				return err
			}
			switch {
			case sample:
				_, err = a.stdout.Write(types[0].Sample)
			case source:
				_, err = a.stdout.Write(types[0].Schema)
			case asJSON:
				err = a.eventsJSON(checker, types, len(args) > 0)
			case len(args) > 0:
				err = a.event(checker, types[0])
			default:
				err = a.eventsTable(checker, types)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cmd.Flags().BoolVar(&sample, "sample", false, "write the sample payload, to the byte")
	cmd.Flags().BoolVar(&source, "schema", false, "write the JSON Schema, to the byte")
	cmd.MarkFlagsMutuallyExclusive("json", "sample", "schema")
	return cmd
}

func maximumArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usage("see `"+cmd.CommandPath()+" --help`", "%s, got %d arguments", what, len(args))
		}
		return nil
	}
}

// fields returns the fields of a type in the order of its sample; those that
// the sample lacks come last among their siblings.
func fields(checker *validate.Checker, t *webhook.Type) ([]schema.Field, error) {
	s, err := checker.Schema(t)
	if err != nil {
		return nil, err
	}
	all := s.Fields()
	// The rank of a field is the index of each name on its path among its
	// siblings in the sample.
	order := map[string]int{}
	var walk func(prefix string, v gjson.Result)
	walk = func(prefix string, v gjson.Result) {
		if !v.IsObject() {
			return
		}
		v.ForEach(func(key, value gjson.Result) bool {
			path := prefix + "\x00" + key.String()
			order[path] = len(order) + 1
			walk(path, value)
			return true
		})
	}
	walk("", gjson.ParseBytes(t.Sample))
	rank := func(f schema.Field) []int {
		ranks := make([]int, len(f.Path))
		for i := range f.Path {
			if r, ok := order["\x00"+strings.Join(f.Path[:i+1], "\x00")]; ok {
				ranks[i] = r
			} else {
				ranks[i] = len(order) + 1
			}
		}
		return ranks
	}
	slices.SortStableFunc(all, func(a, b schema.Field) int {
		return cmp.Or(slices.Compare(rank(a), rank(b)), slices.Compare(a.Path, b.Path))
	})
	return all, nil
}

// example returns the value of a field in the sample, as JSON.
func example(t *webhook.Type, f schema.Field) (string, bool) {
	r := gjson.GetBytes(t.Sample, sjsonPath(f.Path))
	return r.Raw, r.Exists()
}

func (a *app) eventsTable(checker *validate.Checker, types []*webhook.Type) error {
	rows := [][]string{{"EVENT", "WHEN IT FIRES", "FIELDS"}}
	for _, t := range types {
		all, err := fields(checker, t)
		if err != nil {
			return err
		}
		rows = append(rows, []string{t.Name, t.Description, strconv.Itoa(len(all))})
	}
	fmt.Fprint(a.stdout, a.out.Table(rows))
	if a.out.Terminal {
		a.say("%s", a.err.Faint("\nOne of them with its fields and sample: jc-webhooks events "+types[0].Name))
	}
	return nil
}

func (a *app) event(checker *validate.Checker, t *webhook.Type) error {
	all, err := fields(checker, t)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s\n%s\n\n", a.out.Strong(report.Safe(t.Name)), report.Safe(t.Description))
	rows := [][]string{{"FIELD", "TYPE", "REQUIRED", "NULLABLE", "EXAMPLE", "DESCRIPTION"}}
	for _, f := range all {
		text, _ := example(t, f)
		if strings.HasPrefix(text, "{") {
			text = ""
		}
		rows = append(rows, []string{
			f.Pointer(), typeText(f), yes(f.Required), yes(f.Nullable), report.Excerpt([]byte(text), maxExample), f.Description,
		})
	}
	fmt.Fprint(a.stdout, a.out.Table(rows))
	fmt.Fprintf(a.stdout, "\n%s", a.out.JSON(t.Sample))
	return nil
}

// maxExample is how much of an example the table shows, in columns.
const maxExample = 28

func typeText(f schema.Field) string {
	text := strings.Join(f.Types, " or ")
	if f.Format != "" {
		text += " (" + f.Format + ")"
	}
	return text
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// An eventJSON is an event type as programs read it.
type eventJSON struct {
	Event       string          `json:"event"`
	Description string          `json:"description"`
	Fields      []fieldJSON     `json:"fields"`
	Sample      json.RawMessage `json:"sample"`
}

type fieldJSON struct {
	Pointer     string          `json:"pointer"`
	Types       []string        `json:"types"`
	Format      string          `json:"format,omitempty"`
	Required    bool            `json:"required"`
	Nullable    bool            `json:"nullable"`
	Example     json.RawMessage `json:"example,omitempty"`
	Description string          `json:"description"`
}

func (a *app) eventsJSON(checker *validate.Checker, types []*webhook.Type, one bool) error {
	events := make([]eventJSON, len(types))
	for i, t := range types {
		all, err := fields(checker, t)
		if err != nil {
			return err
		}
		e := eventJSON{Event: t.Name, Description: t.Description, Sample: t.Sample}
		for _, f := range all {
			j := fieldJSON{
				Pointer: f.Pointer(), Types: f.Types, Format: f.Format, Required: f.Required, Nullable: f.Nullable, Description: f.Description,
			}
			if text, ok := example(t, f); ok {
				j.Example = json.RawMessage(text)
			}
			e.Fields = append(e.Fields, j)
		}
		events[i] = e
	}
	var v any = events
	if one {
		v = events[0]
	}
	text, err := report.Marshal(v)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(append(text, '\n'))
	return err
}
