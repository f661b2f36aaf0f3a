package report

import (
	"strings"
	"unicode/utf8"
)

// Table lays rows out in columns, the first row as their heads. On a terminal
// the widest column is wrapped so that a row fits, unless that would leave too
// little of it; anywhere else a row is a line.
func (s Style) Table(rows [][]string) string {
	if len(rows) == 0 {
		return ""
	}
	widths := make([]int, len(rows[0]))
	widest := 0
	for i := range rows {
		for j, cell := range rows[i] {
			rows[i][j] = Safe(cell)
			widths[j] = max(widths[j], utf8.RuneCountInString(rows[i][j]))
		}
	}
	total := 0
	for j, w := range widths {
		total += w + gap
		if w >= widths[widest] {
			widest = j
		}
	}
	if over := total - gap - s.width(); s.Terminal && over > 0 && widths[widest]-over >= minColumn {
		widths[widest] -= over
	}
	var b strings.Builder
	for i, row := range rows {
		cells := make([][]string, len(row))
		height := 1
		for j, cell := range row {
			cells[j] = wrap(cell, widths[j])
			height = max(height, len(cells[j]))
		}
		for k := range height {
			var line strings.Builder
			for j := range row {
				cell := ""
				if k < len(cells[j]) {
					cell = cells[j][k]
				}
				padding := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell)+gap)
				switch {
				case i == 0:
					cell = s.faint(cell)
				case j == 0:
					cell = s.strong(cell)
				}
				line.WriteString(cell + padding)
			}
			b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		}
	}
	return b.String()
}

const (
	gap       = 2  // columns between two cells
	minColumn = 16 // what a cell is not made narrower than
)

// wrap breaks text at spaces into lines of at most width columns.
func wrap(text string, width int) []string {
	var lines []string
	for utf8.RuneCountInString(text) > width {
		runes := []rune(text)
		cut := width
		for cut > 0 && runes[cut] != ' ' {
			cut--
		}
		if cut == 0 {
			cut = width
		}
		lines = append(lines, strings.TrimRight(string(runes[:cut]), " "))
		text = strings.TrimLeft(string(runes[cut:]), " ")
	}
	return append(lines, text)
}
