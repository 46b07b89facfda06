// Command stack measures landline's network stack beside gVisor's and the kernel's: two
// hosts joined by a wire in memory, or one and the kernel by a TAP. It prints a table in
// Markdown for each kind of work, and one that says how far landline is from where it is meant to be.
//
// Run it from bench/: go run ./stack
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"

	"landline/bench/internal/kernel"
)

func main() {
	kernel.Help()
	rounds := flag.Int("rounds", 5, "rounds, each of all hosts in turn")
	each := flag.Duration("time", 2*time.Second, "how long each measurement takes, but those of a fixed number of connections")
	only := flag.String("only", "", "measure only what matches `REGEXP`, e.g. 'one stream' or 'TAP.*: landline'")
	profile := flag.String("profile", "", "write what the processor did in the last measurement to `FILE`, and what was allocated to FILE.mem")
	flag.Parse()
	pick, err := regexp.Compile(*only)
	if err != nil || *rounds < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if name := os.Getenv(cellVariable); name != "" {
		err = inner(name, *each, *profile)
	} else {
		err = measure(picked(pick), *rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		os.Exit(1)
	}
}

// picked returns the rows with those of their hosts that are wanted, and that can be had.
func picked(pick *regexp.Regexp) (rows []*row) {
	for _, r := range allRows() {
		var hosts []*host
		for _, h := range r.hosts {
			switch {
			case !pick.MatchString(r.cell(h)):
			case h.root && os.Getuid() != 0:
				fmt.Fprintf(os.Stderr, "left out, as it needs root: %s\n", r.cell(h))
			default:
				hosts = append(hosts, h)
			}
		}
		if r.hosts = hosts; hosts != nil {
			rows = append(rows, r)
		}
	}
	return rows
}

func measure(rows []*row, rounds int) error {
	if len(rows) == 0 {
		return errors.New("nothing is called that")
	}
	before := loadAverage()
	var failed error
	for round := range rounds {
		for _, r := range rows {
			for _, h := range r.hosts {
				v, err := outer(r.cell(h))
				if err != nil {
					failed = errors.Join(failed, err)
					continue
				}
				h.rounds = append(h.rounds, v)
				fmt.Fprintf(os.Stderr, "round %d of %d: %s: %s\n", round+1, rounds, r.cell(h), strings.Join(texts(v), ", "))
			}
		}
	}
	fmt.Printf("Linux %s, %d processors, %s; load average %s before, %s after.\n",
		firstWord("/proc/sys/kernel/osrelease"), runtime.NumCPU(), runtime.Version(), before, loadAverage())
	for _, r := range rows {
		r.print(os.Stdout)
	}
	printGoals(os.Stdout, rows)
	return failed
}

func loadAverage() string { return firstWord("/proc/loadavg") }

func firstWord(file string) string {
	b, _ := os.ReadFile(file)
	first, _, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	return first
}
