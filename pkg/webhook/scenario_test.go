package webhook_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jc-webhooks/jc-webhooks/fixtures"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

func scenarioFiles(texts ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(texts); i += 2 {
		m["scenarios/"+texts[i]+".json"] = &fstest.MapFile{Data: []byte(texts[i+1])}
	}
	return m
}

func TestLoadScenarios(t *testing.T) {
	c, err := webhook.LoadCatalog(fixtures.FS)
	if err != nil {
		t.Fatal(err)
	}
	const one = `{"steps": [{"event": "call.missed"}]}`
	for _, tt := range []struct {
		name  string
		files fstest.MapFS
		want  string // the names, or behind ! a part of the error
	}{
		{"none", fstest.MapFS{}, ""},
		{"two", scenarioFiles("b", one, "a", one), "a b"},
		{"one runs another", scenarioFiles("a", `{"steps": [{"scenario": "b"}, {"scenario": "b"}]}`, "b", one), "a b"},
		{"no steps", scenarioFiles("a", `{"steps": []}`), "!scenarios/a.json: no steps"},
		{"neither", scenarioFiles("a", `{"steps": [{}]}`), "!step 1: want either an event or a scenario"},
		{"both", scenarioFiles("a", `{"steps": [{"event": "call.missed", "scenario": "a"}]}`), "!step 1: want either"},
		{"ids of a scenario", scenarioFiles("b", one, "a", `{"steps": [{"scenario": "b", "ids": {"x": "y"}}]}`), "!set and ids are about an event"},
		{"an id without a name", scenarioFiles("a", `{"steps": [{"event": "call.missed", "ids": {"x": ""}}]}`), "!the id x has no name"},
		{"unknown event", scenarioFiles("a", `{"steps": [{"event": "x"}]}`), `!step 1: unknown event type "x"`},
		{"unknown scenario", scenarioFiles("a", `{"steps": [{"scenario": "x"}]}`), `!no scenario is called "x"`},
		{"itself", scenarioFiles("a", `{"steps": [{"scenario": "a"}]}`), "!the scenario runs itself: a > a"},
		{"unknown field", scenarioFiles("a", "{\n\"steps\": [\n{\"evnt\": 1}]}"), `!scenarios/a.json:3: json: unknown field "evnt"`},
		{"not JSON", scenarioFiles("a", "{\n,}"), "!scenarios/a.json:2:"},
		{"more", scenarioFiles("a", one+"x"), "!more text after the scenario"},
		{"bad delay", scenarioFiles("a", `{"steps": [{"event": "call.missed", "delay": "-1s"}]}`), `!the delay "-1s"`},
		{"delay of another type", scenarioFiles("a", `{"steps": [{"event": "call.missed", "delay": 1}]}`), `!a delay is a string such as`},
		{"too many of its own", scenarioFiles("a", `{"steps": [`+strings.Repeat(`{"event": "call.missed"},`, 10_000)+`{"event": "call.missed"}]}`), "!more than 10000 steps"},
		{"too many", scenarioFiles(
			"a", `{"steps": [`+strings.Repeat(`{"scenario": "b"},`, 99)+`{"scenario": "b"}]}`,
			"b", `{"steps": [`+strings.Repeat(`{"scenario": "c"},`, 99)+`{"scenario": "c"}]}`,
			"c", `{"steps": [`+strings.Repeat(`{"event": "call.missed"},`, 9)+`{"event": "call.missed"}]}`), "!more than 10000 steps"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all, err := webhook.LoadScenarios(c, tt.files)
			if says, ok := strings.CutPrefix(tt.want, "!"); ok {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("got %v, want an error with %q", err, says)
				}
				return
			}
			var names []string
			for _, s := range all {
				names = append(names, s.Name)
			}
			if err != nil || strings.Join(names, " ") != tt.want {
				t.Errorf("got %v, %v", names, err)
			}
		})
	}
}

// The events of a run come in the order of their times, and the identities of
// scenarios within it are their own.
func TestPlan(t *testing.T) {
	c, err := webhook.LoadCatalog(fixtures.FS)
	if err != nil {
		t.Fatal(err)
	}
	all, err := webhook.LoadScenarios(c, scenarioFiles(
		"call", `{"steps": [{"event": "call.answered", "ids": {"p": "x"}}, {"event": "call.completed", "delay": "5s", "ids": {"p": "x"}}]}`,
		"two", `{"steps": [{"scenario": "call"}, {"scenario": "call", "delay": "2s"}, {"event": "call.missed", "delay": "1s"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	planned, ok := webhook.Plan(all, "two")
	var got []string
	for _, p := range planned {
		got = append(got, p.At.String()+" "+p.Step.Event+" "+p.Step.IDs["p"])
	}
	want := []string{"0s call.answered 1/x", "2s call.answered 2/x", "3s call.missed ", "5s call.completed 1/x", "7s call.completed 2/x"}
	if !ok || !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if _, ok := webhook.Plan(all, "three"); ok {
		t.Error("an unknown scenario has a plan")
	}
}

// FuzzLoadScenarios holds that what is loaded can be planned and written.
func FuzzLoadScenarios(f *testing.F) {
	c, err := webhook.LoadCatalog(fixtures.FS)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"steps": [{"event": "call.missed", "delay": "1m30s", "ids": {"a": "b"}, "set": {"c": [1]}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := webhook.LoadScenarios(c, scenarioFiles("a", text))
		if err != nil {
			return
		}
		planned, ok := webhook.Plan(all, "a")
		if !ok || len(planned) == 0 || len(planned) > 10_000 {
			t.Fatalf("planned %d, %v", len(planned), ok)
		}
		for i, p := range planned {
			if p.At < 0 || p.At > 24*time.Hour*10_000 || i > 0 && p.At < planned[i-1].At {
				t.Fatalf("event %d is at %v", i, p.At)
			}
		}
	})
}
