package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestKilledRecorder kills a recorder in the middle of load, again and again, and
// holds that every delivery that was acknowledged is in the capture, once.
func TestKilledRecorder(t *testing.T) {
	const rounds, senders = 10, 8
	dir := t.TempDir()
	capture := filepath.Join(dir, "capture.ndjson")
	listener := filepath.Join(program(t), "jc-webhooks")
	acknowledged := map[string]bool{}
	for round := range rounds {
		ready := filepath.Join(dir, fmt.Sprintf("url-%d", round))
		args := []string{"listen", "--port", "0", "--ready-file", ready, "--record", capture, "--json", "-q"}
		if round%2 == 1 {
			args = append(args, "--fsync")
		}
		cmd := exec.Command(listener, args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		url := ""
		for begin := time.Now(); url == ""; time.Sleep(time.Millisecond) {
			if text, err := os.ReadFile(ready); err == nil {
				url = strings.TrimSpace(string(text))
			}
			if time.Since(begin) > 10*time.Second {
				t.Fatal("the recorder does not come up")
			}
		}
		var mu sync.Mutex
		var load sync.WaitGroup
		for sender := range senders {
			load.Go(func() {
				client := http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
				defer client.CloseIdleConnections()
				for i := range 100_000 {
					name := fmt.Sprintf("%d-%d-%d", round, sender, i)
					resp, err := client.Post(url, "application/json", strings.NewReader(`{"event":"`+name+`"}`))
					if err != nil {
						return
					}
					_ = resp.Body.Close()
					if resp.StatusCode == http.StatusOK {
						mu.Lock()
						acknowledged[name] = true
						mu.Unlock()
					}
				}
			})
		}
		time.Sleep(time.Duration(50+round*20) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		load.Wait()
	}
	if len(acknowledged) < rounds*senders {
		t.Fatalf("only %d deliveries were acknowledged: that proves nothing", len(acknowledged))
	}

	f, err := os.Open(capture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	recorded := map[string]int{}
	lines := bufio.NewReader(f)
	last := uint64(0)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break // a last record may be torn: it was not acknowledged
		}
		var record struct {
			ID   uint64
			Body string
		}
		var body struct{ Event string }
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if err := json.Unmarshal([]byte(record.Body), &body); err != nil {
			t.Fatal(err)
		}
		if record.ID <= last {
			t.Fatalf("id %d comes after %d", record.ID, last)
		}
		last = record.ID
		recorded[body.Event]++
	}
	for name := range acknowledged {
		if recorded[name] != 1 {
			t.Errorf("%s was acknowledged and is %d times in the capture", name, recorded[name])
		}
	}
	t.Logf("%d deliveries were acknowledged over %d kills, %d are recorded", len(acknowledged), rounds, len(recorded))
}
