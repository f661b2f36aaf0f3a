package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"jc-webhooks": main})
}

// TestScripts runs the command line's specification: one script per behaviour.
// Besides the usual commands, a script has those of the functions below.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":     status,
			"waitfile":   waitFile,
			"waitfor":    waitFor,
			"freeport":   freePort,
			"handler":    handler,
			"httpcode":   httpCode,
			"rawhandler": rawHandler,
			"recorder":   recorder,
			"takeport":   takePort,
			"repeat":     repeat,
			"specimen":   specimen,
			"hostile":    hostile,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "")
			env.Setenv("TERM", "xterm")
			return nil
		},
	})
}

// status CODE PROGRAM ARG... runs a program that must end with this exit code.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status code program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// waitfile FILE [VARIABLE...] waits until the file exists and is not empty, and
// sets each variable to one of its lines.
func waitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: waitfile file [variable...]")
	}
	const limit = 10 * time.Second
	for begin := time.Now(); time.Since(begin) < limit; time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && len(text) > 0 {
			lines := strings.Split(string(text), "\n")
			for i, name := range args[1:] {
				ts.Setenv(name, lines[min(i, len(lines)-1)])
			}
			return
		}
	}
	ts.Fatalf("%s was not written within %v", args[0], limit)
}

// waitfor SECONDS URL REGEXP waits until what the URL answers matches.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: waitfor seconds url regexp")
	}
	seconds, err := strconv.Atoi(args[0])
	ts.Check(err)
	want, err := regexp.Compile(args[2])
	ts.Check(err)
	client := http.Client{Timeout: 10 * time.Second}
	var text []byte
	for begin := time.Now(); time.Since(begin) < time.Duration(seconds)*time.Second; time.Sleep(20 * time.Millisecond) {
		resp, err := client.Get(args[1])
		ts.Check(err)
		text, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		ts.Check(err)
		if want.Match(text) {
			return
		}
	}
	ts.Fatalf("%s never matched %s, but was %s", args[1], args[2], text)
}

// handler VARIABLE BEHAVIOUR [TEXT] starts a handler and sets the variable to its
// URL. The behaviour is a status, with the text as body, or as Location of a
// redirect; or close, slow or endless.
func handler(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: handler variable behaviour [text]")
	}
	text := strings.Join(args[2:], " ")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch args[1] {
		case "close":
			panic(http.ErrAbortHandler)
		case "slow":
			<-r.Context().Done()
			return
		case "endless":
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}
		code, err := strconv.Atoi(args[1])
		if err != nil {
			code = http.StatusInternalServerError
		}
		if code/100 == 3 {
			w.Header().Set("Location", text)
		}
		w.WriteHeader(code)
		fmt.Fprint(w, strings.NewReplacer(`\e`, "\x1b", `\n`, "\n").Replace(text))
	}))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

// rawhandler VARIABLE TEXT starts a server that answers each request with the text,
// in which \\r and \\n are line ends, and sets the variable to its URL.
func rawHandler(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: rawhandler variable text")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = ln.Close() })
	text := strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace(args[1])
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(conn, text)
				}
			}()
		}
	}()
	ts.Setenv(args[0], "http://"+ln.Addr().String())
}

// recorder VARIABLE FILE starts a handler that appends each request to the file, the
// header fields sorted, and answers with 201 and a field and a body of its own. The
// variable is set to its URL.
func recorder(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: recorder variable file")
	}
	file, err := os.OpenFile(ts.MkAbs(args[1]), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		var text strings.Builder
		fmt.Fprintf(&text, "%s %s\n", r.Method, r.RequestURI)
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			fmt.Fprintf(&text, "%s: %s\n", name, strings.Join(r.Header[name], " | "))
		}
		fmt.Fprintf(&text, "%q\n\n", body)
		_, _ = file.WriteString(text.String())
		w.Header().Set("X-Handler", "recorder")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "thanks")
	}))
	ts.Defer(func() {
		server.Close()
		_ = file.Close()
	})
	ts.Setenv(args[0], server.URL)
}

// httpcode CODE METHOD URL [FILE] makes a request, with the file as body, that
// must be answered with this status.
func httpCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: httpcode code method url [file]")
	}
	body := ""
	if len(args) > 3 {
		body = ts.ReadFile(args[3])
	}
	req, err := http.NewRequest(args[1], args[2], strings.NewReader(body))
	ts.Check(err)
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if got := strconv.Itoa(resp.StatusCode); got != args[0] {
		ts.Fatalf("status %s, want %s", got, args[0])
	}
}

// takeport VARIABLE takes a port until the script ends.
func takePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: takeport variable")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = ln.Close() })
	_, port, err := net.SplitHostPort(ln.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
}

// freeport VARIABLE sets the variable to a port that was free just now.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport variable")
	}
	port, err := openPort()
	ts.Check(err)
	ts.Setenv(args[0], port)
}

// openPort returns a port that was free just now.
func openPort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	return port, errors.Join(err, ln.Close())
}

// repeat N FILE NEW writes the text of FILE, N times, to NEW.
func repeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: repeat n file new")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Repeat(ts.ReadFile(args[1]), n)), 0o600))
}
