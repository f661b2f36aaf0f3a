// Command gen writes the files that packages of jc-webhooks install beside the
// program: shell completions and manual pages.
//
// Usage: gen FOLDER
//
// The same program and the same SOURCE_DATE_EPOCH give the same bytes.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/jc-webhooks/jc-webhooks/pkg/cli"
)

func main() {
	if err := run(os.Args[1:], os.Getenv); err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string, getenv func(string) string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument, the folder to write to, got %d", len(args))
	}
	date, err := sourceDate(getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return err
	}
	root := cli.Command()
	if err := writeCompletions(root, filepath.Join(args[0], "completions")); err != nil {
		return fmt.Errorf("write completions: %w", err)
	}
	if err := writeManual(root, filepath.Join(args[0], "man"), date); err != nil {
		return fmt.Errorf("write manual pages: %w", err)
	}
	return nil
}

// sourceDate reads SOURCE_DATE_EPOCH, seconds since 1970. Without it, the pages
// bear a date all the same, which does not depend on the day.
func sourceDate(epoch string) (time.Time, error) {
	if epoch == "" {
		return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is %q, want seconds since 1970", epoch)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// writeCompletions writes one script for each shell, named by its extension.
func writeCompletions(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // packages are for everybody
		return err
	}
	file := func(shell string) string { return filepath.Join(dir, root.Name()+"."+shell) }
	return errors.Join(
		root.GenBashCompletionFileV2(file("bash"), true),
		root.GenZshCompletionFile(file("zsh")),
		root.GenFishCompletionFile(file("fish"), true),
		root.GenPowerShellCompletionFileWithDesc(file("ps1")),
	)
}

// writeManual writes one page for each command, in section 1.
func writeManual(root *cobra.Command, dir string, date time.Time) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // packages are for everybody
		return err
	}
	root.DisableAutoGenTag = true // no day at the end of each page
	return doc.GenManTree(root, &doc.GenManHeader{
		Section: "1",
		Source:  root.Name(),
		Manual:  root.Name() + " manual",
		Date:    &date,
	}, dir)
}
