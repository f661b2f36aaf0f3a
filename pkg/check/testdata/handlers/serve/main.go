// Command serve runs one of the handlers, so that a test of it can be watched:
//
//	go run ./pkg/check/testdata/handlers/serve -wrong null
//	go run ./cmd/jc-webhooks test 3000
package main

import (
	"flag"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/check/testdata/handlers"
)

func main() {
	wrong := flag.String("wrong", "", "in which way the handler is wrong: "+strings.Join(slices.Sorted(maps.Keys(handlers.Wrong)), ", "))
	addr := flag.String("addr", "127.0.0.1:3000", "where it listens")
	flag.Parse()
	if _, ok := handlers.Wrong[*wrong]; !ok && *wrong != "" {
		log.Fatalf("no handler is wrong like %q", *wrong)
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	url := "http://" + ln.Addr().String() + "/"
	h := &handlers.Handler{Wrong: *wrong, Secret: os.Getenv("JC_WEBHOOKS_SECRET"), URL: url}
	server := http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/booked" { // for --count-command
			fmt.Fprintln(w, h.Booked())
			return
		}
		h.ServeHTTP(w, r)
	})}
	fmt.Println("listening on " + url)
	log.Fatal(server.Serve(ln))
}
