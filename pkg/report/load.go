package report

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/load"
)

// A GateResult says what came of a gate of a load test.
type GateResult struct {
	Gate   string `json:"gate"`
	Failed bool   `json:"failed"`
	Got    string `json:"got"`
}

// LoadJSON returns what a load test has measured, as programs read it.
func LoadJSON(s *load.Summary, gates []GateResult) ([]byte, error) {
	return Marshal(struct {
		Summary *load.Summary `json:"summary"`
		Gates   []GateResult  `json:"gates"`
	}{s, gates})
}

// nearlyThere is the share of a wanted rate from which on nothing is said about it.
const nearlyThere = 0.995

// Load writes what a load test has measured.
func (s Style) Load(m *load.Summary, gates []GateResult) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s sent in %s, %s acknowledged, %s/s", s.strong(number(int(m.Sent))), Duration(m.Duration), s.acknowledged(m), perSecond(m.AchievedRate))
	if m.WantedRate > 0 {
		fmt.Fprintf(&b, " of %s/s", perSecond(m.WantedRate))
	}
	b.WriteByte('\n')
	if m.WantedRate > 0 && m.AchievedRate < m.WantedRate*nearlyThere {
		b.WriteString(s.warn("the rate was not reached: the handler, or this machine, is too slow for it") + "\n")
	}
	if m.Dropped > 0 {
		b.WriteString(s.bad(Count(int(m.Dropped), "slot")+" dropped") + ": no connection was free in time\n")
	}
	for _, status := range slices.Sorted(maps.Keys(m.Statuses)) {
		text := strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
		fmt.Fprintf(&b, "  %s %s\n", pad(text, statusWidth), number(int(m.Statuses[status])))
	}
	for _, class := range slices.Sorted(maps.Keys(m.Errors)) {
		fmt.Fprintf(&b, "  %s %s\n", s.bad(pad(string(class), statusWidth)), number(int(m.Errors[class])))
	}
	q := func(name string, list ...any) {
		fmt.Fprintf(&b, "%s", pad(name, 9))
		for i := 0; i < len(list); i += 2 {
			d, _ := list[i+1].(time.Duration)
			fmt.Fprintf(&b, "  %s %s", s.faint(fmt.Sprint(list[i])), Duration(d))
		}
		b.WriteByte('\n')
	}
	l := m.Latency
	q("latency", "p50", l.P50, "p90", l.P90, "p99", l.P99, "p99.9", l.P999, "max", l.Max)
	if m.WantedRate > 0 {
		l = m.Service
		q("service", "p50", l.P50, "p90", l.P90, "p99", l.P99, "p99.9", l.P999, "max", l.Max)
		q("lateness", "p50", m.Lateness.P50, "p99", m.Lateness.P99)
		b.WriteString(s.faint("latency: from when it was due; service: from when it was sent; lateness: our own") + "\n")
	}
	if len(m.Events) > 1 {
		rows := [][]string{{"EVENT", "SENT", "ACKNOWLEDGED"}}
		for _, name := range slices.Sorted(maps.Keys(m.Events)) {
			e := m.Events[name]
			rows = append(rows, []string{Excerpt([]byte(name), maxName), number(int(e.Sent)), number(int(e.OK))})
		}
		b.WriteString(s.Table(rows))
	}
	for _, g := range gates {
		verdict := s.good("passed")
		if g.Failed {
			verdict = s.bad("failed")
		}
		fmt.Fprintf(&b, "%s  %s  got %s\n", verdict, Safe(g.Gate), g.Got)
	}
	return b.String()
}

const statusWidth = 26

func (s Style) acknowledged(m *load.Summary) string {
	if m.OK == m.Sent {
		return s.good(number(int(m.OK)))
	}
	return s.bad(number(int(m.OK)))
}

// perSecond writes a rate.
func perSecond(rate float64) string {
	const few = 100
	if rate < few {
		return strconv.FormatFloat(rate, 'f', 1, 64)
	}
	return number(int(rate + 0.5))
}
