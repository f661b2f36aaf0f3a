package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
)

// A tally counts what arrived, by event type.
type tally struct {
	started time.Time
	rows    []tallyRow
	index   map[string]int
}

type tallyRow struct {
	event                    string
	received, valid, invalid int
}

// maxRows bounds the tally: a sender can make up any number of names.
const maxRows = 1000

// otherEvents stands for the names beyond maxRows.
const otherEvents = "(other)"

func (t *tally) add(r *validate.Result) {
	name := r.Event
	if !r.Known {
		name = report.Verdict(r)
		if r.Event != "" {
			name = report.Excerpt([]byte(r.Event), 60) + " (unknown)"
		}
	}
	if t.index == nil {
		t.index = map[string]int{}
	}
	i, ok := t.index[name]
	if !ok && len(t.rows) >= maxRows {
		name = otherEvents
		i, ok = t.index[name]
	}
	if !ok {
		i = len(t.rows)
		t.index[name] = i
		t.rows = append(t.rows, tallyRow{event: name})
	}
	row := &t.rows[i]
	row.received++
	switch {
	case !r.Valid():
		row.invalid++
	case r.Known: // nobody can say of an unknown event that it is valid
		row.valid++
	}
}

// text writes the tally as a table, with a line before it.
func (t *tally) text(style report.Style, now time.Time) string {
	slices.SortFunc(t.rows, func(a, b tallyRow) int { return strings.Compare(a.event, b.event) })
	total := 0
	rows := [][]string{{"EVENT", "RECEIVED", "VALID", "INVALID"}}
	for _, r := range t.rows {
		total += r.received
		rows = append(rows, []string{r.event, strconv.Itoa(r.received), strconv.Itoa(r.valid), strconv.Itoa(r.invalid)})
	}
	line := fmt.Sprintf("received %s in %s", report.Count(total, "event"), report.Duration(now.Sub(t.started)))
	if total == 0 {
		return line
	}
	return line + "\n" + strings.TrimSuffix(style.Table(rows), "\n")
}
