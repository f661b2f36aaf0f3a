package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/schema"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// orderOptions are what the flags fill that say in which order events are sent,
// and how often.
type orderOptions struct {
	scenario  string
	speed     speed
	shuffle   bool
	duplicate percentage
	seed      uint64
	seeded    bool
}

func (a *app) orderFlags(cmd *cobra.Command, o *orderOptions) {
	f := cmd.Flags()
	f.StringVar(&o.scenario, "scenario", "", "send the events of this `scenario`, with fresh ids, in its time")
	o.speed = 1
	f.Var(&o.speed, "speed", "how many times faster than written the scenario is: 10x; max waits for nothing")
	f.BoolVar(&o.shuffle, "shuffle", false, "send in random order: JustCall promises none")
	f.Var(&o.duplicate, "duplicate", "send this share of the events twice, such as 10%: JustCall may")
	f.Uint64Var(&o.seed, "seed", 0, "the `number` that chance begins with, to have the same once more")
	must(cmd.RegisterFlagCompletionFunc("scenario", a.completeScenarios))
}

func (a *app) scenariosCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "scenarios [NAME]",
		Short: "List the scenarios, or the steps of one",
		Long: `List the scenarios: events in an order that makes sense, such as those of one
call. With a name, list its steps. ` + "`send --scenario NAME`" + ` sends them.

A folder of --events-dir can have scenarios of its own, in a folder scenarios.`,
		Example: `  jc-webhooks scenarios
  jc-webhooks scenarios missed-call
  jc-webhooks send --scenario missed-call --to 3000`,
		Args:              maximumArgs(1, "scenarios takes one name"),
		ValidArgsFunction: a.completeScenarios,
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := a.catalog()
			if err != nil {
				return err
			}
			all, err := a.scenarios(c)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return a.listScenarios(all, asJSON)
			}
			return a.showScenario(c, all, args[0], asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

// scenarios loads the bundled scenarios and those of --events-dir.
func (a *app) scenarios(c *webhook.Catalog) ([]*webhook.Scenario, error) {
	folders := []fs.FS{fixtures.FS}
	for _, name := range a.eventsDirs {
		folders = append(folders, eventsDir(name))
	}
	all, err := webhook.LoadScenarios(c, folders...)
	if err != nil {
		return nil, usage("", "load scenarios: %w", err)
	}
	return all, nil
}

func scenarioNames(all []*webhook.Scenario) []string {
	list := make([]string, len(all))
	for i, s := range all {
		list[i] = s.Name
	}
	return list
}

// plan returns the events of a scenario.
func plan(all []*webhook.Scenario, name string) ([]webhook.Planned, error) {
	planned, ok := webhook.Plan(all, name)
	if ok {
		return planned, nil
	}
	known := "the scenarios are " + strings.Join(scenarioNames(all), ", ")
	if near := schema.Nearest(name, scenarioNames(all), 3); len(near) > 0 {
		return nil, usage(known, "unknown scenario %q; did you mean %s?", name, schema.Alternatives(near))
	}
	return nil, usage(known, "unknown scenario %q", name)
}

// plannedEvent is a step as it is listed.
type plannedEvent struct {
	At    string                     `json:"at"`
	Event string                     `json:"event"`
	IDs   map[string]string          `json:"ids,omitempty"`
	Set   map[string]json.RawMessage `json:"set,omitempty"`
}

func (a *app) listScenarios(all []*webhook.Scenario, asJSON bool) error {
	type listed struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Events      int    `json:"events"`
		Takes       string `json:"takes"`
	}
	var list []listed
	rows := [][]string{{"NAME", "EVENTS", "TAKES", "DESCRIPTION"}}
	for _, s := range all {
		planned, err := plan(all, s.Name)
		if err != nil {
			return err
		}
		l := listed{s.Name, s.Description, len(planned), planned[len(planned)-1].At.String()}
		list = append(list, l)
		rows = append(rows, []string{report.Safe(l.Name), fmt.Sprint(l.Events), l.Takes, report.Safe(l.Description)})
	}
	if asJSON {
		return a.writeJSON(list)
	}
	fmt.Fprint(a.stdout, a.out.Table(rows))
	return nil
}

func (a *app) showScenario(c *webhook.Catalog, all []*webhook.Scenario, name string, asJSON bool) error {
	planned, err := plan(all, name)
	if err != nil {
		return err
	}
	if _, err = a.scenarioEvents(c, name, a.env.Now()); err != nil { // that its fields are there
		return err
	}
	var list []plannedEvent
	rows := [][]string{{"AT", "EVENT", "SHARES", "SETS"}}
	for _, p := range planned {
		e := plannedEvent{p.At.String(), p.Step.Event, p.Step.IDs, p.Step.Set}
		list = append(list, e)
		var shares, sets []string
		for _, at := range slices.Sorted(maps.Keys(e.IDs)) {
			shares = append(shares, at+" "+e.IDs[at])
		}
		for _, at := range slices.Sorted(maps.Keys(e.Set)) {
			sets = append(sets, at+"="+string(e.Set[at]))
		}
		rows = append(rows, []string{e.At, e.Event, report.Safe(strings.Join(shares, ", ")), report.Safe(strings.Join(sets, ", "))})
	}
	if asJSON {
		return a.writeJSON(list)
	}
	for _, s := range all {
		if s.Name == name {
			fmt.Fprintf(a.stdout, "%s\n\n", report.Safe(s.Description))
		}
	}
	fmt.Fprint(a.stdout, a.out.Table(rows))
	return nil
}

// writeJSON writes a value to standard output, indented.
func (a *app) writeJSON(v any) error {
	text, err := report.Marshal(v)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(report.Style{}.JSON(text))
	return err
}

// scenarioEvents makes the events of one run that begins at the given time.
func (a *app) scenarioEvents(c *webhook.Catalog, name string, begin time.Time) ([]event, error) {
	all, err := a.scenarios(c)
	if err != nil {
		return nil, err
	}
	planned, err := plan(all, name)
	if err != nil {
		return nil, err
	}
	checker, err := validate.NewChecker(c, validate.Options{})
	if err != nil {
		return nil, err
	}
	identities := map[string]string{}
	var events []event
	for i, p := range planned {
		e, err := a.plannedEvent(c, checker, p, begin, identities)
		if err != nil {
			return nil, usage("`"+a.again("scenarios "+name)+"` lists the events in this order", "scenario %s, event %d, %s: %w", name, i+1, p.Step.Event, err)
		}
		events = append(events, e)
	}
	return events, nil
}

// plannedEvent makes an event of a run. Identities are the JSON of the ids that
// were given names.
func (a *app) plannedEvent(c *webhook.Catalog, checker *validate.Checker, p webhook.Planned, begin time.Time, identities map[string]string) (event, error) {
	e := event{name: p.Step.Event, at: p.At}
	e.typ, _ = c.Lookup(p.Step.Event)
	var err error
	if e.fields, err = fields(checker, e.typ); err != nil {
		return e, err
	}
	fresh := newRefresher(func() time.Time { return begin.Add(p.At) })
	if e.body, err = fresh.refresh(e.typ.Sample, e.fields); err != nil {
		return e, err
	}
	for _, path := range slices.Sorted(maps.Keys(p.Step.IDs)) {
		s, err := parseAssignment(path+"=0", false)
		if err != nil {
			return e, err
		}
		value := gjson.GetBytes(e.body, sjsonPath(s.path))
		if value.Type != gjson.String && value.Type != gjson.Number {
			return e, fmt.Errorf("no id is at %s; the nearest fields are %s", path, schema.Alternatives(s.nearest(e.body, e.fields)))
		}
		identity := p.Step.IDs[path]
		if identities[identity] == "" {
			identities[identity] = value.Raw
		}
		s.raw = identities[identity]
		if e.body, err = s.apply(e.body); err != nil {
			return e, err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(p.Step.Set)) {
		s, err := parseAssignment(path+"=0", false)
		if err != nil {
			return e, err
		}
		if !s.matches(e.body, e.fields) {
			return e, fmt.Errorf("no field is at %s; the nearest are %s", path, schema.Alternatives(s.nearest(e.body, e.fields)))
		}
		s.raw = string(p.Step.Set[path])
		if e.body, err = s.apply(e.body); err != nil {
			return e, err
		}
	}
	return e, nil
}

// arrange puts events in the order in which they are sent.
func (a *app) arrange(events []event, o *orderOptions) []event {
	if !o.shuffle && o.duplicate == 0 {
		return events
	}
	if !o.seeded {
		o.seed = rand.Uint64N(1e6) //nolint:gosec // chance, and no secret
	}
	chance := rand.New(rand.NewPCG(o.seed, 0)) //nolint:gosec // as above
	a.say("%s", a.err.Faint(fmt.Sprintf("chance begins with --seed %d", o.seed)))
	arranged := slices.Clone(events)
	for i := range arranged {
		arranged[i].number = i
	}
	for _, e := range slices.Clone(arranged) {
		if chance.Float64() >= float64(o.duplicate) {
			continue
		}
		// The second one comes some time after the first, as a retry would.
		first := slices.IndexFunc(arranged, func(other event) bool { return other.number == e.number })
		later := first + 1 + chance.IntN(len(arranged)-first)
		e.at = arranged[later-1].at
		arranged = slices.Insert(arranged, later, e)
	}
	if o.shuffle {
		times := make([]time.Duration, len(arranged))
		for i := range arranged {
			times[i] = arranged[i].at
		}
		chance.Shuffle(len(arranged), func(i, j int) { arranged[i], arranged[j] = arranged[j], arranged[i] })
		for i := range arranged {
			arranged[i].at = times[i] // the times stay, with other events
		}
	}
	return arranged
}

// due waits until an event is to be sent.
func (o *orderOptions) due(ctx context.Context, begin time.Time, e *event) error {
	if o.speed == 0 || e.at == 0 {
		return ctx.Err()
	}
	return sleep(ctx, time.Until(begin.Add(time.Duration(float64(e.at)/float64(o.speed)))))
}

// completeScenarios completes the names of scenarios.
func (a *app) completeScenarios(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp
	if err := a.fromEnvironment(cmd.Flags()); err != nil || len(args) > 0 {
		return nil, directive
	}
	c, err := a.catalog()
	if err != nil {
		return nil, directive
	}
	all, err := a.scenarios(c)
	if err != nil {
		return nil, directive
	}
	var completions []cobra.Completion
	for _, s := range all {
		completions = append(completions, cobra.CompletionWithDesc(s.Name, s.Description))
	}
	return completions, directive
}
