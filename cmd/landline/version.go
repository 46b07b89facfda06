package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what this program calls itself, without the module's revision.
const (
	version  = "0.1.0"
	software = "landline/" + version
	protocol = 1
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  none,
		RunE:  func(*cobra.Command, []string) error { return a.printVersion() },
	}
}

func (a *app) printVersion() error {
	if a.json {
		return printJSON(&a.out, map[string]any{
			"version": version, "revision": revision(), "protocol": protocol,
			"go": runtime.Version(), "system": runtime.GOOS + "/" + runtime.GOARCH,
		})
	}
	fmt.Fprintf(&a.out, "landline %s%s, protocol %d, %s, %s/%s\n", version, dashed(revision()), protocol, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// revision returns the commit that the program was built from, if it is known.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(len(s.Value), 12)]
		}
	}
	return ""
}

func dashed(s string) string {
	if s == "" {
		return ""
	}
	return "-" + s
}
