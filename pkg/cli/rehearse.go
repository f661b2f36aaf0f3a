package cli

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/jc-webhooks/jc-webhooks/pkg/listen"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// rehearseOptions are what the flags fill that make the listener fail on purpose,
// so that a sender's retries can be watched.
type rehearseOptions struct {
	respond []string
	delay   delayRange
	drop    percentage
	seed    uint64
	seeded  bool
}

func rehearseFlags(cmd *cobra.Command, o *rehearseOptions) {
	f := cmd.Flags()
	f.StringArrayVar(&o.respond, "respond", nil, "answer with this `[PATTERN=]STATUS[:N%]`, such as 503, '503:20%' or\n'sms.*=500' (repeatable; the first that applies counts)")
	f.Var(&o.delay, "delay", "answer only after this `time`: 2s, or between two such as 200ms..3s")
	f.Var(&o.drop, "drop", "close this share of connections without an answer, such as 5%")
	f.Uint64Var(&o.seed, "seed", 0, "the `number` that chance begins with, to have the same once more")
}

// maxDelay is the longest --delay.
const maxDelay = time.Hour

// A delayRange is a flag for a time or a range of times.
type delayRange struct{ least, most time.Duration }

func (r *delayRange) String() string {
	switch {
	case r.most == 0:
		return ""
	case r.least == r.most:
		return r.least.String()
	}
	return r.least.String() + ".." + r.most.String()
}

// Type is what help shows for the value.
func (*delayRange) Type() string { return "time" }

// Set reads a time or a range.
func (r *delayRange) Set(text string) error {
	low, high, ranged := strings.Cut(text, "..")
	if !ranged {
		high = low
	}
	least, err := time.ParseDuration(low)
	most, err2 := time.ParseDuration(high)
	if err != nil || err2 != nil || least < 0 || most < least || most > maxDelay {
		return fmt.Errorf("want a time such as 2s, or a range such as 200ms..3s, up to %v", maxDelay)
	}
	r.least, r.most = least, most
	return nil
}

// A percentage is a flag for a share, 0 to 1.
type percentage float64

func (p *percentage) String() string {
	if *p == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(*p)*100, 'g', -1, 64) + "%"
}

// Type is what help shows for the value.
func (*percentage) Type() string { return "percentage" }

// Set reads a share in per cent.
func (p *percentage) Set(text string) error {
	x, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(x >= 0 && x <= 100) {
		return errors.New("want a share from 0% to 100%")
	}
	*p = percentage(x / 100)
	return nil
}

// A response is a rule of --respond.
type response struct {
	pattern string // empty for every delivery
	status  int
	share   percentage
}

// A rehearsal decides which deliveries fail. It can be used by several
// goroutines; deliveries that come one after the other have the same fate
// whenever the seed is the same.
type rehearsal struct {
	responses []response
	delay     delayRange
	drop      percentage

	mu     sync.Mutex
	chance *rand.Rand
}

// rehearsal reads the flags; it is nil when nothing is to fail.
func (a *app) rehearsal(c *webhook.Catalog, o *rehearseOptions) (*rehearsal, error) {
	r := &rehearsal{delay: o.delay, drop: o.drop}
	random := o.drop > 0 && o.drop < 1 || o.delay.least != o.delay.most
	for _, text := range o.respond {
		rule, err := parseResponse(c, text)
		if err != nil {
			return nil, err
		}
		random = random || rule.share < 1
		r.responses = append(r.responses, rule)
	}
	switch {
	case len(r.responses) == 0 && r.drop == 0 && r.delay.most == 0:
		if o.seeded {
			return nil, usage("use it with --respond '503:20%', --drop or --delay", "--seed is about chance, and there is none")
		}
		return nil, nil
	case !o.seeded:
		o.seed = rand.Uint64N(1e6) //nolint:gosec // chance, and no secret
	}
	r.chance = rand.New(rand.NewPCG(o.seed, 0)) //nolint:gosec // as above
	a.say("%s", a.err.Faint(r.String()))
	if random {
		a.say("%s", a.err.Faint(fmt.Sprintf("chance begins with --seed %d", o.seed)))
	}
	return r, nil
}

// String says what is going to fail.
func (r *rehearsal) String() string {
	var parts []string
	for _, rule := range r.responses {
		part := fmt.Sprintf("answering %d", rule.status)
		if rule.share < 1 {
			part += " to " + rule.share.String()
		}
		if rule.pattern != "" {
			part += " of " + rule.pattern
		}
		parts = append(parts, part)
	}
	if r.drop > 0 {
		parts = append(parts, "dropping "+r.drop.String())
	}
	if r.delay.most > 0 {
		parts = append(parts, "answering after "+r.delay.String())
	}
	return "rehearsing failure: " + strings.Join(parts, ", ")
}

// parseResponse reads [PATTERN=]STATUS[:N%].
func parseResponse(c *webhook.Catalog, text string) (response, error) {
	const hint = "it is written --respond 503, --respond '503:20%' or --respond 'sms.*=500'"
	r := response{share: 1}
	rest := text
	if pattern, after, ok := strings.Cut(text, "="); ok {
		if err := checkPattern(c, pattern, hint); err != nil {
			return r, err
		}
		r.pattern, rest = pattern, after
	}
	number, share, shared := strings.Cut(rest, ":")
	if shared {
		if err := r.share.Set(share); err != nil {
			return r, usage(hint, "the response %q: %w", text, err)
		}
	}
	status, err := strconv.Atoi(number)
	if err != nil || status < http.StatusOK || status > 599 {
		return r, usage(hint, "the response %q has no status from 200 to 599", text)
	}
	r.status = status
	return r, nil
}

// answer decides about the delivery of an event; failed is false when it is
// answered as if there were no rehearsal, but for a delay.
func (r *rehearsal) answer(event string) (answer listen.Answer, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	answer.Delay = r.delay.least
	if span := r.delay.most - r.delay.least; span > 0 {
		answer.Delay += time.Duration(r.chance.Int64N(int64(span) + 1))
	}
	// Chance is asked in the same order for every delivery.
	if r.happens(r.drop) {
		answer.Drop, failed = true, true
	}
	for _, rule := range r.responses {
		if (rule.pattern == "" || matches(rule.pattern, event)) && r.happens(rule.share) && !failed {
			answer.Status, failed = rule.status, true
			if rule.status == http.StatusTooManyRequests || rule.status == http.StatusServiceUnavailable {
				answer.Header = http.Header{"Retry-After": {"10"}}
			}
		}
	}
	return answer, failed
}

func (r *rehearsal) happens(share percentage) bool {
	return share > 0 && r.chance.Float64() < float64(share)
}
