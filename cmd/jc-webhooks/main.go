// Command jc-webhooks sends, receives and judges JustCall webhooks.
package main

import (
	"os"

	"github.com/jc-webhooks/jc-webhooks/pkg/cli"
)

func main() {
	os.Exit(cli.Main(cli.OSEnv()))
}
