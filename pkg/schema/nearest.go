package schema

import (
	"cmp"
	"slices"
	"strings"
)

// Nearest returns up to limit of the names that want may be a misspelling of,
// the likeliest first. A name is near when a third of its characters or fewer
// have to be changed, when case and separators are all that differ, or when
// one is the beginning of the other.
func Nearest(want string, names []string, limit int) []string {
	type candidate struct {
		name     string
		distance int
	}
	const maxLength = 100 // the distance takes time in the square of it
	var near []candidate
	plain := strings.NewReplacer("_", "", "-", "", ".", "", " ", "")
	if want == "" || len(want) > maxLength {
		return nil
	}
	w := strings.ToLower(want)
	for _, name := range names {
		n := strings.ToLower(name)
		if name == want || len(n) > maxLength {
			continue
		}
		d := distance(w, n)
		switch {
		case plain.Replace(w) == plain.Replace(n):
			d = 0
		case d <= max(len(w), len(n))/3:
		case len(w) >= 3 && (strings.HasPrefix(n, w) || strings.HasPrefix(w, n) && len(n) >= 3):
		default:
			continue
		}
		near = append(near, candidate{name, d})
	}
	slices.SortStableFunc(near, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	result := make([]string, 0, limit)
	for _, c := range near[:min(limit, len(near))] {
		result = append(result, c.name)
	}
	return result
}

// distance returns how many bytes of a have to be inserted, deleted, replaced
// or swapped with their neighbour to make b (optimal string alignment).
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	previous2, previous, current := rows[0], rows[1], rows[2]
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], previous2[j-2]+1)
			}
		}
		previous2, previous, current = previous, current, previous2
	}
	return previous[len(b)]
}
