package cli

import (
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jc-webhooks/jc-webhooks/pkg/report"
	"github.com/jc-webhooks/jc-webhooks/pkg/signature"
	"github.com/jc-webhooks/jc-webhooks/pkg/validate"
	"github.com/jc-webhooks/jc-webhooks/pkg/webhook"
)

// secretVariable names the environment variable of the secret. It is no flag: an
// argument can be seen by everybody on the machine.
const secretVariable = "JC_WEBHOOKS_SECRET" //nolint:gosec // a name, and no secret

// keyVariable names the environment variable of the API key, which is no part of a
// signature, but is taken for the secret now and then.
const keyVariable = "JC_WEBHOOKS_KEY"

// verifyOptions are what the flags about signatures fill.
type verifyOptions struct {
	secretFile string
	url        string
	tolerance  time.Duration
	enforce    bool
}

func verifyFlags(cmd *cobra.Command, o *verifyOptions) {
	f := cmd.Flags()
	f.StringVar(&o.secretFile, "secret-file", "", "verify signatures with the API secret in this `file`; or set\n"+secretVariable+". With the API key in "+keyVariable+",\na signature that was made with the key is found out")
	f.StringVar(&o.url, "url", "", "the `URL` that is registered with JustCall, exactly: it is part of what is signed")
	f.DurationVar(&o.tolerance, "tolerance", signature.DefaultTolerance, "how old a signature may be; -1s for any age")
}

// secret returns the API secret from the file, or from the environment when there
// is none, or nothing.
func (a *app) secret(file string) (string, error) {
	// An editor, and many a store of secrets, ends it with a line end, which is
	// not part of it.
	if file == "" {
		return strings.TrimRight(a.env.Getenv(secretVariable), "\r\n"), nil
	}
	text, err := os.ReadFile(file) //nolint:gosec // to read the file that the user names is the point
	if err != nil {
		return "", usage("", "read the secret file %s: %w", file, report.Cause(err))
	}
	secret := strings.TrimRight(strings.TrimPrefix(string(text), "\ufeff"), "\r\n")
	if secret == "" {
		return "", usage("", "the secret file %s is empty", file)
	}
	return secret, nil
}

// checkSignedURL reports a URL that cannot be registered with JustCall. An empty
// one is none.
func checkSignedURL(text string) error {
	if u, err := url.Parse(text); text != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return usage("it is signed as it is registered, such as https://example.com/hooks", "--url %q is no whole URL", text)
	}
	return nil
}

// verifier returns the verifier of the options, or nil when there is no secret.
func (a *app) verifier(o *verifyOptions) (*signature.Verifier, error) {
	if err := checkSignedURL(o.url); err != nil {
		return nil, err
	}
	secret, err := a.secret(o.secretFile)
	switch {
	case err != nil:
		return nil, err
	case secret == "" && (o.enforce || o.url != ""):
		return nil, usage("set "+secretVariable+", or name a --secret-file", "no secret to verify signatures with")
	case secret == "":
		return nil, nil
	case o.enforce && o.url == "":
		return nil, usage("name the URL that is registered with JustCall with --url", "signatures cannot be enforced without the URL that is signed")
	}
	return &signature.Verifier{Secret: secret, Key: a.env.Getenv(keyVariable), URL: o.url, Tolerance: o.tolerance, Now: a.env.Now}, nil
}

// verify checks the signature of a delivery, which calls itself event.
func verify(v *signature.Verifier, d *webhook.Delivery, event string) signature.Result {
	if !d.Received.IsZero() { // it is printed, or looked at, later than it came
		then := *v
		then.Now = func() time.Time { return d.Received }
		v = &then
	}
	return v.Verify(d.Header, event, d.Body)
}

// authentic reports whether a delivery bears a valid signature, or is a probe,
// which has none.
func authentic(v *signature.Verifier, checker *validate.Checker, d *webhook.Delivery) bool {
	if isProbe(d) {
		return true
	}
	return verify(v, d, checker.Check(d.Body).Event).Reason == signature.Valid
}
