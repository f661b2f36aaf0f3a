//go:build ignore

// The peer of the measurements: a bare net/http handler that reads the body and
// answers 200. go run docs/benchmarks/bare.go 127.0.0.1:19000
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	err := http.ListenAndServe(os.Args[1], http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
