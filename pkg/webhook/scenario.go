package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// A Scenario is some events in an order that makes sense, such as those of one
// call. It is a file, NAME.json in the folder scenarios beside the event types.
type Scenario struct {
	// Name is the file's, without its extension.
	Name string `json:"-"`

	// File is what the file is called in errors.
	File string `json:"-"`

	// Description says in a sentence what happens.
	Description string `json:"description"`

	Steps []Step `json:"steps"`
}

// A Step is an event, or another scenario, of a scenario.
type Step struct {
	// Event is the name of an event type, or Scenario that of a scenario,
	// which goes on beside the steps that follow.
	Event    string `json:"event,omitempty"`
	Scenario string `json:"scenario,omitempty"`

	// Delay is the time since the step before began.
	Delay Delay `json:"delay,omitempty"`

	// Set are fields that have another value than in the sample, by paths
	// such as data.duration.
	Set map[string]json.RawMessage `json:"set,omitempty"`

	// IDs are fields that share an identity with other steps of the same run,
	// by paths; the value is a name for the identity. All other ids of an event
	// are its own.
	IDs map[string]string `json:"ids,omitempty"`
}

// A Delay is a time that is written like 1m30s.
type Delay time.Duration

// UnmarshalJSON reads a delay.
func (d *Delay) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return errors.New("a delay is a string such as \"1m30s\"")
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 || v > maxDelay {
		return fmt.Errorf("the delay %q, want a time such as \"1m30s\", up to %v", s, maxDelay)
	}
	*d = Delay(v)
	return nil
}

// MarshalJSON writes a delay.
func (d Delay) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

const (
	scenarioFolder = "scenarios"
	maxDelay       = 24 * time.Hour
	maxSteps       = 10_000 // of a scenario with those that it runs
)

// LoadScenarios reads the scenarios of folders, each of which may have a folder
// scenarios. One of a later folder takes the place of one of the same name. It
// fails with a *[LoadError] for a file that is no scenario, names an event type
// that the catalog does not have or a scenario that is not there, or runs itself.
func LoadScenarios(catalog *Catalog, folders ...fs.FS) ([]*Scenario, error) {
	byName := map[string]*Scenario{}
	for _, fsys := range folders {
		files, err := fs.Glob(fsys, scenarioFolder+"/*.json")
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			s, err := loadScenario(fsys, file)
			if err != nil {
				return nil, err
			}
			byName[s.Name] = s
		}
	}
	var all []*Scenario
	for _, s := range byName {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Scenario) int { return strings.Compare(a.Name, b.Name) })
	for _, s := range all {
		if err := s.check(catalog, byName); err != nil {
			return nil, err
		}
	}
	for _, s := range all {
		if _, err := s.run(byName, nil); err != nil {
			return nil, &LoadError{File: s.File, Err: err}
		}
	}
	return all, nil
}

func loadScenario(fsys fs.FS, file string) (*Scenario, error) {
	s := &Scenario{Name: strings.TrimSuffix(path.Base(file), ".json"), File: file}
	if named, ok := fsys.(fmt.Stringer); ok {
		s.File = path.Join(named.String(), file)
	}
	text, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, &LoadError{File: s.File, Err: unwrapPath(err)}
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err = dec.Decode(s); err != nil {
		line := errorLine(text, err)
		// There is no type for this one. Its name may be written in another way.
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			if at := bytes.Index(text, []byte(name)); at >= 0 {
				line = lineAt(text, int64(at))
			}
		}
		return nil, &LoadError{File: s.File, Line: line, Err: err}
	}
	if _, err = dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &LoadError{File: s.File, Line: lineAt(text, dec.InputOffset()), Err: errors.New("more text after the scenario")}
	}
	return s, nil
}

// check finds steps that lead nowhere.
func (s *Scenario) check(catalog *Catalog, others map[string]*Scenario) error {
	if len(s.Steps) == 0 {
		return &LoadError{File: s.File, Err: errors.New("no steps")}
	}
	for i, step := range s.Steps {
		var err error
		switch {
		case (step.Event == "") == (step.Scenario == ""):
			err = errors.New("want either an event or a scenario")
		case step.Scenario != "" && len(step.Set)+len(step.IDs) > 0:
			err = errors.New("set and ids are about an event, and this step runs a scenario")
		case step.Scenario != "" && others[step.Scenario] == nil:
			err = fmt.Errorf("no scenario is called %q", step.Scenario)
		case step.Event != "":
			if _, ok := catalog.Lookup(step.Event); !ok {
				err = fmt.Errorf("unknown event type %q", step.Event)
			}
		}
		for at, name := range step.IDs {
			if name == "" {
				err = fmt.Errorf("the id %s has no name", at)
			}
		}
		if err != nil {
			return &LoadError{File: s.File, Err: fmt.Errorf("step %d: %w", i+1, err)}
		}
	}
	return nil
}

// A Planned is an event of a run of a scenario.
type Planned struct {
	// Step is the step, whose IDs are told apart from those of the other
	// scenarios in the run.
	Step Step

	// At is when it happens, from the beginning of the run.
	At time.Duration
}

// Plan returns the events of one run of a scenario, in the order in which they
// happen. The scenarios are those of [LoadScenarios].
func Plan(scenarios []*Scenario, name string) ([]Planned, bool) {
	byName := map[string]*Scenario{}
	for _, s := range scenarios {
		byName[s.Name] = s
	}
	s, ok := byName[name]
	if !ok {
		return nil, false
	}
	planned, err := s.run(byName, nil)
	if err != nil {
		return nil, false
	}
	slices.SortStableFunc(planned, func(a, b Planned) int { return int(a.At - b.At) })
	return planned, true
}

// run returns the events of one run, in the order of the steps. Within are the
// scenarios that have led here.
func (s *Scenario) run(others map[string]*Scenario, within []string) ([]Planned, error) {
	within = append(slices.Clip(within), s.Name)
	if slices.Contains(within[:len(within)-1], s.Name) {
		return nil, fmt.Errorf("the scenario runs itself: %s", strings.Join(within, " > "))
	}
	var planned []Planned
	at := time.Duration(0)
	for i, step := range s.Steps {
		at += time.Duration(step.Delay)
		if len(planned) >= maxSteps {
			return nil, fmt.Errorf("more than %d steps", maxSteps)
		}
		if step.Event != "" {
			planned = append(planned, Planned{Step: step, At: at})
			continue
		}
		inner, err := others[step.Scenario].run(others, within)
		if err != nil {
			return nil, err
		}
		for _, p := range inner {
			p.At += at
			ids := map[string]string{}
			for where, id := range p.Step.IDs {
				ids[where] = fmt.Sprintf("%d/%s", i+1, id)
			}
			p.Step.IDs = ids
			planned = append(planned, p)
		}
		if len(planned) > maxSteps {
			return nil, fmt.Errorf("more than %d steps", maxSteps)
		}
	}
	return planned, nil
}
