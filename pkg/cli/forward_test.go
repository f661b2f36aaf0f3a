package cli

import (
	"math/rand/v2"
	"testing"
)

// Ranges hold every id that was lost, in whatever order, and ascend.
func TestAddRun(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable, and no secret
	for range 200 {
		var runs [][2]uint64
		lost := map[uint64]bool{}
		for range 1 + chance.IntN(200) {
			id := 1 + chance.Uint64N(300)
			lost[id] = true
			runs = addRun(runs, id)
		}
		for id := range lost {
			in := 0
			for _, r := range runs {
				if r[0] <= id && id <= r[1] {
					in++
				}
			}
			if in != 1 {
				t.Fatalf("%d is in %d of %v", id, in, runs)
			}
		}
		for i, r := range runs {
			if r[0] > r[1] || !lost[r[0]] || !lost[r[1]] || i > 0 && r[0] <= runs[i-1][1]+1 {
				t.Fatalf("bad ranges %v", runs)
			}
		}
		if len(runs) > maxLostRuns {
			t.Fatalf("%d ranges", len(runs))
		}
	}
	var runs [][2]uint64
	for _, id := range []uint64{5, 9, 7, 6, 8} {
		runs = addRun(runs, id)
	}
	if len(runs) != 1 || runs[0] != [2]uint64{5, 9} {
		t.Errorf("got %v", runs)
	}
}
