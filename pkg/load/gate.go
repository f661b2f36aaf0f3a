package load

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Gate is a condition under which a run has failed, such as p99>200ms. It is made
// by [ParseGate].
type Gate struct {
	text     string
	measure  string
	operator string
	limit    float64 // seconds, a part of 1, or a count
	unit     unit
}

// A unit is what the limit of a gate is a number of.
type unit int

const (
	count  unit = iota
	share       // percent
	length      // of time
)

// A measure is something that a gate is about.
type measure struct {
	name   string
	units  []unit
	quant  func(*Quantiles) time.Duration // of a latency
	wanted string                         // what its limit may be
}

const aTime = "a time such as 200ms or 1.5s"

// measures are in the order in which they are named.
var measures = []measure{
	{"p50", []unit{length}, func(q *Quantiles) time.Duration { return q.P50 }, aTime},
	{"p90", []unit{length}, func(q *Quantiles) time.Duration { return q.P90 }, aTime},
	{"p99", []unit{length}, func(q *Quantiles) time.Duration { return q.P99 }, aTime},
	{"p99.9", []unit{length}, func(q *Quantiles) time.Duration { return q.P999 }, aTime},
	{"max", []unit{length}, func(q *Quantiles) time.Duration { return q.Max }, aTime},
	{"mean", []unit{length}, func(q *Quantiles) time.Duration { return q.Mean }, aTime},
	{"errors", []unit{count, share}, nil, "a count such as 10 or a share such as 1%"},
	{"dropped", []unit{count, share}, nil, "a count such as 10 or a share such as 1%"},
	{"rate", []unit{count, share}, nil, "requests per second such as 4000, or a share of the wanted rate such as 95%"},
}

// Measures returns the names of what a gate can be about.
func Measures() []string {
	names := make([]string, len(measures))
	for i, m := range measures {
		names[i] = m.name
	}
	return names
}

// ParseGate reads a gate: a measure, one of the operators > >= < <=, and a limit.
//
//	p50 p90 p99 p99.9 max mean   the latency: p99>200ms
//	errors                       requests without a 2xx: errors>10, or errors>1% of those sent
//	dropped                      slots that were not sent: dropped>0, or dropped>1% of those due
//	rate                         what was achieved: rate<4000 per second, or rate<95% of what was wanted
//
// Spaces may stand around the parts.
func ParseGate(text string) (Gate, error) {
	fail := func(format string, args ...any) (Gate, error) {
		return Gate{}, fmt.Errorf("the gate %q %s", text, fmt.Sprintf(format, args...))
	}
	at := strings.IndexAny(text, "<>=!")
	if at < 0 {
		return fail("has no operator, want one of > >= < <=")
	}
	g := Gate{text: text, measure: strings.TrimSpace(text[:at])}
	end := at
	for end < len(text) && strings.IndexByte("<>=!", text[end]) >= 0 {
		end++
	}
	g.operator = text[at:end]
	if !slices.Contains([]string{">", ">=", "<", "<="}, g.operator) {
		return fail("has the operator %q, want one of > >= < <=", g.operator)
	}
	i := slices.IndexFunc(measures, func(m measure) bool { return m.name == g.measure })
	if i < 0 {
		return fail("is about %q, want one of %s", g.measure, strings.Join(Measures(), ", "))
	}
	m := &measures[i]
	limit := strings.TrimSpace(text[end:])
	switch ok := g.readLimit(limit); {
	case !ok:
		return fail("has the limit %q, want %s", limit, m.wanted)
	case g.unit == count && !slices.Contains(m.units, count):
		return fail("has the limit %q without a unit, want %s", limit, m.wanted)
	case !slices.Contains(m.units, g.unit):
		return fail("has the limit %q, which does not fit, want %s", limit, m.wanted)
	case g.unit == share && g.limit > 1:
		return fail("has the limit %q, more than all, want %s", limit, m.wanted)
	}
	return g, nil
}

// readLimit reads what is behind the operator.
func (g *Gate) readLimit(text string) (ok bool) {
	number, percent := strings.CutSuffix(text, "%")
	if strings.Trim(number, "0123456789.") != "" { // not all that package strconv takes for a number
		d, err := time.ParseDuration(text)
		g.unit, g.limit = length, d.Seconds()
		return err == nil && d >= 0
	}
	g.unit = count
	if percent {
		g.unit = share
		number += "e-2" // rounded once, as the share that it is compared with
	}
	var err error
	g.limit, err = strconv.ParseFloat(number, 64)
	return err == nil
}

// String returns what was given to [ParseGate].
func (g Gate) String() string { return g.text }

// Check says why the gate cannot be asked of a run with these options: a share of
// the rate needs one.
func (g Gate) Check(o Options) error {
	if g.measure == "rate" && g.unit == share && o.Rate == 0 {
		return fmt.Errorf("the gate %q %s", g.text, noRate)
	}
	return nil
}

const noRate = "needs a rate that is wanted"

// Failed reports whether the run has failed by the gate, and what was measured,
// with its unit. A run of which the gate cannot be asked has failed too: one in
// which nothing was sent, and, by a share of the rate, one without a rate.
func (g Gate) Failed(s *Summary) (failed bool, got string) {
	var value float64
	total := float64(s.Sent)
	switch g.measure {
	case "errors":
		value = float64(s.Sent - s.OK)
	case "dropped":
		value, total = float64(s.Dropped), float64(s.Sent+s.Dropped)
	case "rate":
		value, total = s.AchievedRate, s.WantedRate
		if g.unit == share && total == 0 {
			return true, noRate
		}
	default:
		i := slices.IndexFunc(measures, func(m measure) bool { return m.name == g.measure })
		if i < 0 || s.Sent == 0 {
			return true, "nothing was sent"
		}
		d := measures[i].quant(&s.Latency)
		return g.compare(d.Seconds()), d.Round(time.Microsecond).String()
	}
	switch {
	case g.unit == share && total == 0:
		return true, "nothing was sent"
	case g.unit == share:
		value /= total
		got = strconv.FormatFloat(100*value, 'f', 2, 64) + "%"
	case g.measure == "rate":
		got = strconv.FormatFloat(value, 'f', 1, 64) + "/s"
	default:
		got = strconv.FormatFloat(value, 'f', -1, 64)
	}
	return g.compare(value), got
}

// compare reports whether value is on the side of the limit that the gate names.
func (g Gate) compare(value float64) bool {
	switch g.operator {
	case ">":
		return value > g.limit
	case ">=":
		return value >= g.limit
	case "<":
		return value < g.limit
	}
	return value <= g.limit
}
