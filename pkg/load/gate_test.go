package load_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jc-webhooks/jc-webhooks/pkg/load"
)

func TestGate(t *testing.T) {
	summary := &load.Summary{
		Sent: 1000, OK: 985, Dropped: 250, WantedRate: 5000, AchievedRate: 4800,
		Latency: load.Quantiles{
			P50: 10 * time.Millisecond, P90: 50 * time.Millisecond, P99: 250 * time.Millisecond,
			P999: 900 * time.Millisecond, Max: 1234567 * time.Microsecond, Mean: 12345678 * time.Nanosecond,
		},
	}
	tests := []struct {
		gate   string
		failed bool
		got    string
	}{
		{"p99>200ms", true, "250ms"},
		{"p99>250ms", false, "250ms"},
		{"p99>=250ms", true, "250ms"},
		{"p50>=1s", false, "10ms"},
		{"p90<50ms", false, "50ms"},
		{"p90<=50ms", true, "50ms"},
		{"p99.9>899999us", true, "900ms"},
		{"max>1.2s", true, "1.234567s"},
		{"mean>50ms", false, "12.346ms"},
		{"mean>0", false, "!without"},
		{"errors>1%", true, "1.50%"},
		{"errors>1.5%", false, "1.50%"},
		{"errors>=1.5%", true, "1.50%"},
		{"errors>10", true, "15"},
		{"errors>15", false, "15"},
		{"rate<95%", false, "96.00%"},
		{"rate<97%", true, "96.00%"},
		{"rate<4000", false, "4800.0/s"},
		{"rate<5000", true, "4800.0/s"},
		{"dropped>0", true, "250"},
		{"dropped>20%", false, "20.00%"},
		{"dropped>=20%", true, "20.00%"},
		{" p99 >  200ms ", true, "250ms"},
	}
	for _, tt := range tests {
		t.Run(tt.gate, func(t *testing.T) {
			g, err := load.ParseGate(tt.gate)
			if strings.HasPrefix(tt.got, "!") {
				if err == nil {
					t.Error("there is no error")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if failed, got := g.Failed(summary); failed != tt.failed || got != tt.got {
				t.Errorf("got %v, %q, want %v, %q", failed, got, tt.failed, tt.got)
			}
			if g.String() != tt.gate {
				t.Errorf("the text became %q", g)
			}
		})
	}
}

// What cannot be asked has failed.
func TestGateWithoutAnswer(t *testing.T) {
	for _, tt := range []struct {
		gate    string
		summary load.Summary
		failed  bool
		got     string
	}{
		{"p99>200ms", load.Summary{}, true, "nothing was sent"},
		{"p99<200ms", load.Summary{}, true, "nothing was sent"},
		{"errors>1%", load.Summary{}, true, "nothing was sent"},
		{"errors>0", load.Summary{}, false, "0"},
		{"dropped>1%", load.Summary{}, true, "nothing was sent"},
		{"dropped>1%", load.Summary{Dropped: 1}, true, "100.00%"},
		{"rate<95%", load.Summary{Sent: 1, OK: 1, AchievedRate: 1}, true, "needs a rate that is wanted"},
	} {
		g, err := load.ParseGate(tt.gate)
		if err != nil {
			t.Fatal(err)
		}
		if failed, got := g.Failed(&tt.summary); failed != tt.failed || got != tt.got {
			t.Errorf("%s: got %v, %q, want %v, %q", tt.gate, failed, got, tt.failed, tt.got)
		}
	}
}

func TestGateCheck(t *testing.T) {
	for _, tt := range []struct {
		gate string
		rate float64
		ok   bool
	}{
		{"rate<95%", 0, false}, {"rate<95%", 1, true}, {"rate<95", 0, true}, {"errors>1%", 0, true},
	} {
		g, err := load.ParseGate(tt.gate)
		if err != nil {
			t.Fatal(err)
		}
		if err = g.Check(load.Options{Rate: tt.rate}); (err == nil) != tt.ok {
			t.Errorf("%s with the rate %v: got %v", tt.gate, tt.rate, err)
		}
	}
}

func TestParseGateErrors(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", "has no operator"},
		{"p99", "has no operator, want one of > >= < <="},
		{"p99=1s", `has the operator "=", want one of > >= < <=`},
		{"p99==1s", `has the operator "=="`},
		{"p99!=1s", `has the operator "!="`},
		{"p99=>1s", `has the operator "=>"`},
		{"p99>>1s", `has the operator ">>"`},
		{"p98>1s", `is about "p98", want one of p50, p90, p99, p99.9, max, mean, errors, dropped, rate`},
		{">1s", `is about ""`},
		{"P99>1s", `is about "P99"`},
		{"p99>200", `the gate "p99>200" has the limit "200" without a unit, want a time such as 200ms`},
		{"p99>1%", `has the limit "1%", which does not fit, want a time such as 200ms`},
		{"p99>", `has the limit "", want a time`},
		{"p99>-1s", `has the limit "-1s", want a time`},
		{"p99>1 s", `has the limit "1 s", want a time`},
		{"p99>1week", `has the limit "1week"`},
		{"p99>1s>2s", `has the limit "1s>2s"`},
		{"errors>1s", `has the limit "1s", which does not fit, want a count such as 10`},
		{"errors>101%", `has the limit "101%", more than all`},
		{"errors>-1%", `has the limit "-1%", want a count such as 10`},
		{"errors>-1", `has the limit "-1", want a count`},
		{"errors>%", `has the limit "%", want`},
		{"errors>1%%", `has the limit "1%%", want`},
		{"errors>1e3", `want a count`},
		{"errors>inf", `want a count`},
		{"errors>0x10", `want a count`},
		{"rate<1.2.3", `has the limit "1.2.3", want requests per second`},
		{"rate<5s", `which does not fit`},
	} {
		if g, err := load.ParseGate(tt.in); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, %v, want an error with %s", tt.in, g, err, tt.want)
		}
	}
}

// FuzzParseGate holds that what is accepted is given back, read again as the same,
// and can be asked of any run.
func FuzzParseGate(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		g, err := load.ParseGate(text)
		if err != nil {
			if g != (load.Gate{}) || err.Error() == "" {
				t.Fatalf("got %v and the error %q", g, err)
			}
			return
		}
		if g.String() != text {
			t.Fatalf("the text became %q", g)
		}
		again, err := load.ParseGate(g.String())
		if err != nil || again != g {
			t.Fatalf("read again: %v, %v", again, err)
		}
		for _, s := range []load.Summary{{}, {Sent: 3, OK: 2, Dropped: 1, WantedRate: 10, AchievedRate: 9}} {
			if _, got := g.Failed(&s); got == "" {
				t.Fatalf("nothing was measured of %+v", s)
			}
		}
		// A limit cannot be exceeded and kept.
		if measure, limit, ok := strings.Cut(text, ">"); ok && !strings.HasPrefix(limit, "=") {
			other, err := load.ParseGate(measure + "<=" + limit)
			if err != nil {
				t.Fatal(err)
			}
			s := load.Summary{Sent: 3, OK: 2, Dropped: 1, WantedRate: 10, AchievedRate: 9, Latency: load.Quantiles{P50: 1, P90: 2, P99: 3, P999: 4, Max: 5, Mean: 2}}
			a, _ := g.Failed(&s)
			b, _ := other.Failed(&s)
			if a == b {
				t.Fatalf("%s and %s agree", g, other)
			}
		}
	})
}

// A share that is just the limit is not above it, in decimals that no binary
// fraction is exactly.
func TestGateBorder(t *testing.T) {
	for failed := int64(1); failed < 1000; failed++ {
		s := &load.Summary{Sent: 1000, OK: 1000 - failed}
		for text, want := range map[string]bool{
			fmt.Sprintf("errors>%d.%d%%", failed/10, failed%10):  false,
			fmt.Sprintf("errors>=%d.%d%%", failed/10, failed%10): true,
		} {
			g, err := load.ParseGate(text)
			if err != nil {
				t.Fatal(err)
			}
			if got, value := g.Failed(s); got != want {
				t.Errorf("%s of %d in 1000: %v, %s", text, failed, got, value)
			}
		}
	}
}
