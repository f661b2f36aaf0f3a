package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/jc-webhooks/jc-webhooks/pkg/cli"
)

func TestRun(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	getenv := func(string) string { return "1767225600" }
	for _, dir := range []string{first, second} {
		if err := run([]string{dir}, getenv); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"man/jc-webhooks.1"}
	for _, cmd := range cli.Command().Commands() {
		want = append(want, "man/jc-webhooks-"+cmd.Name()+".1")
	}
	for _, shell := range []string{"bash", "zsh", "fish", "ps1"} {
		want = append(want, "completions/jc-webhooks."+shell)
	}
	for _, name := range want {
		text, err := os.ReadFile(filepath.Join(first, name))
		if err != nil {
			t.Error(err)
			continue
		}
		again, err := os.ReadFile(filepath.Join(second, name))
		if err != nil || !bytes.Equal(text, again) {
			t.Errorf("%s differs when it is written again (%v)", name, err)
		}
		if !bytes.Contains(text, []byte("jc-webhooks")) {
			t.Errorf("%s does not name the program", name)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	tests := []struct {
		name  string
		args  []string
		epoch string
	}{
		{"no folder", nil, ""},
		{"two folders", []string{"a", "b"}, ""},
		{"no number", []string{t.TempDir()}, "yesterday"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := run(tt.args, func(string) string { return tt.epoch }); err == nil {
				t.Error("no error")
			}
		})
	}
}
