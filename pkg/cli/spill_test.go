package cli

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/jc-webhooks/jc-webhooks/pkg/listen"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// A consumer that is slower than the producer gets everything, in order, while
// little is in memory.
func TestSpill(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var s spill
	t.Cleanup(s.Close)
	q := listen.NewQueue()
	q.MaxBytes, q.Spill = 10_000, &s
	q.Lost = func(d *webhook.Delivery, err error) { t.Errorf("lost %d: %v", d.ID, err) }
	const total = 5000
	var producer sync.WaitGroup
	producer.Go(func() {
		for id := range uint64(total) {
			body := fmt.Appendf(nil, "{\"n\": %d, \"bytes\": \"\xff\x00\"}", id+1)
			_ = q.Put(context.Background(), &webhook.Delivery{ID: id + 1, URL: "/x?y", Method: "POST", Status: 201, Body: body})
		}
		q.Close()
	})
	producer.Wait()
	if s.size.Load() == 0 {
		t.Error("nothing was spilled")
	}
	var got uint64
	if err := q.Each(func(batch []*webhook.Delivery) error {
		for _, d := range batch {
			got++
			if want := fmt.Sprintf("{\"n\": %d, \"bytes\": \"\xff\x00\"}", got); d.ID != got || string(d.Body) != want || d.Status != 201 || d.URL != "/x?y" {
				t.Fatalf("got %+v, want %d", d, got)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got != total {
		t.Errorf("got %d of %d", got, total)
	}
	if s.size.Load() != 0 {
		t.Error("the file was not emptied")
	}
}

func TestSpillNoRoom(t *testing.T) {
	t.Setenv("TMPDIR", "/nowhere/at/all")
	t.Setenv("TMP", "/nowhere/at/all")
	var s spill
	if err := s.Put(new(webhook.Delivery)); err == nil {
		t.Error("no error")
	}
}
