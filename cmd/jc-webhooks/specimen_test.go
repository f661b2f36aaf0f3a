package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jc-webhooks/jc-webhooks/pkg/check/testdata/handlers"
)

// specimen VARIABLE [WRONG [FILE]] starts a handler that copes, or one that is wrong
// in that way, and sets the variable to its URL. It verifies signatures when
// JC_WEBHOOKS_SECRET is set. Into the file it writes how much it has done.
func specimen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 3 {
		ts.Fatalf("usage: specimen variable [wrong [file]]")
	}
	h := &handlers.Handler{Secret: ts.Getenv("JC_WEBHOOKS_SECRET")}
	if len(args) > 1 && args[1] != "right" {
		h.Wrong = args[1]
		if handlers.Wrong[h.Wrong] == "" {
			ts.Fatalf("no handler is wrong like %s", h.Wrong)
		}
	}
	var serve http.Handler = h
	if len(args) > 2 {
		file := ts.MkAbs(args[2])
		ts.Check(os.WriteFile(file, []byte("0"), 0o600))
		var mu sync.Mutex
		serve = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r)
			mu.Lock()
			defer mu.Unlock()
			// Put in place whole: somebody may be reading.
			if err := os.WriteFile(file+".new", []byte(strconv.Itoa(h.Booked())), 0o600); err == nil {
				_ = os.Rename(file+".new", file)
			}
		})
	}
	server := httptest.NewUnstartedServer(serve)
	h.URL = "http://" + server.Listener.Addr().String() + "/"
	server.Start()
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

// hostile VARIABLE BEHAVIOUR [FILE] starts something that is hardly a handler and
// sets the variable to its URL: silent, which writes the file when it was asked,
// drip, a byte a second, loop, a redirect to itself, tls with a certificate of
// nobody, http10, closes before it has read anything.
func hostile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: hostile variable behaviour [file]")
	}
	behaviour := args[1]
	file := ""
	if len(args) > 2 {
		file = ts.MkAbs(args[2])
	}
	if behaviour == "http10" || behaviour == "closes" {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Defer(func() { _ = ln.Close() })
		ts.Setenv(args[0], "http://"+ln.Addr().String())
		go func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				go answerByHand(conn, behaviour == "http10")
			}
		}()
		return
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch behaviour {
		case "silent":
			_ = os.WriteFile(file, []byte("asked"), 0o600)
			<-r.Context().Done()
		case "loop":
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
		case "drip":
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte("x"))
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(time.Second):
				}
			}
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if behaviour == "tls" {
		server.StartTLS()
	} else {
		server.Start()
	}
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

// answerByHand closes a connection, after an answer of HTTP/1.0 when that is wanted.
func answerByHand(conn net.Conn, answer bool) {
	defer conn.Close()
	if !answer {
		return
	}
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, req.Body)
	_, _ = fmt.Fprint(conn, "HTTP/1.0 200 OK\r\n\r\nthanks")
}
