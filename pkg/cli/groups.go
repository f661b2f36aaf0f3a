package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// groupAnnotation names the heading under which help lists a flag.
const groupAnnotation = "jc_webhooks_group"

// flagGroup lists the flags that define defines under a heading of their own.
func flagGroup(cmd *cobra.Command, heading string, define func()) {
	cmd.Flags().SortFlags = false
	before := map[string]bool{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) { before[f.Name] = true })
	define()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !before[f.Name] {
			f.Annotations = withAnnotation(f.Annotations, heading)
		}
	})
}

func withAnnotation(annotations map[string][]string, heading string) map[string][]string {
	if annotations == nil {
		annotations = map[string][]string{}
	}
	annotations[groupAnnotation] = []string{heading}
	return annotations
}

// flagUsages writes the flags of a command under their headings, in the order in
// which these were defined, and those without one at the end.
func flagUsages(cmd *cobra.Command) string {
	local := cmd.LocalFlags()
	var headings []string
	groups := map[string]*pflag.FlagSet{}
	local.VisitAll(func(f *pflag.Flag) {
		heading := "Flags"
		if g := f.Annotations[groupAnnotation]; len(g) > 0 {
			heading = g[0]
		}
		if groups[heading] == nil {
			groups[heading] = pflag.NewFlagSet("", pflag.ContinueOnError)
			groups[heading].SortFlags = local.SortFlags
			if heading != "Flags" {
				headings = append(headings, heading)
			}
		}
		groups[heading].AddFlag(f)
	})
	if groups["Flags"] != nil {
		headings = append(headings, "Flags")
	}
	var b strings.Builder
	for _, heading := range headings {
		b.WriteString("\n\n" + heading + ":\n" + strings.TrimRight(groups[heading].FlagUsages(), "\n"))
	}
	return b.String()
}

// groupedUsage changes a usage template to one that knows headings.
func groupedUsage(template string) string {
	begin := strings.Index(template, "{{if .HasAvailableLocalFlags}}")
	end := strings.Index(template, "{{if .HasAvailableInheritedFlags}}")
	if begin < 0 || end < begin {
		return template // another version of cobra
	}
	return template[:begin] + "{{if .HasAvailableLocalFlags}}{{flagUsages .}}{{end}}" + template[end:]
}
