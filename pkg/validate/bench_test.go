package validate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
)

// BenchmarkRead judges compacted samples in lines, and the same in ways that are
// harder: as one array, over several lines, and with a warning in each.
func BenchmarkRead(b *testing.B) {
	var lines, pretty bytes.Buffer
	for i := 0; lines.Len() < 8<<20; i++ {
		for _, t := range catalog(b).Types() {
			var line bytes.Buffer
			if err := json.Compact(&line, t.Sample); err != nil {
				b.Fatal(err)
			}
			lines.Write(append(line.Bytes(), '\n'))
			pretty.Write(t.Sample)
		}
	}
	array := append(append([]byte("["), bytes.ReplaceAll(bytes.TrimSpace(lines.Bytes()), []byte("\n"), []byte(",\n"))...), ']')
	warned := bytes.ReplaceAll(lines.Bytes(), []byte(`"data":{`), []byte(`"data":{"extra":1,`))
	for _, bb := range []struct {
		name string
		text []byte
	}{{"lines", lines.Bytes()}, {"array", array}, {"pretty", pretty.Bytes()}, {"warned", warned}} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.text)))
			for b.Loop() {
				var tally Tally
				c := checker(b)
				c.options.Brief = 3
				if err := c.Read(context.Background(), "x", bytes.NewReader(bb.text), &tally, func(*Verdict) error { return nil }); err != nil {
					b.Fatal(err)
				}
				if tally.Invalid > 0 {
					b.Fatal(fmt.Sprint(tally.Summary))
				}
			}
		})
	}
}
