// Package compare measures the same work done by several hosts, in turn, and prints a table in Markdown for each kind of work,
// and one that says how far landline is from where it is meant to be.
package compare

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// Main is the program that measures rows. It returns its exit code.
func Main(name string, rows []*Row) int {
	rounds := flag.Int("rounds", 5, "rounds, each of all hosts in turn")
	each := flag.Duration("time", 2*time.Second, "how long each measurement takes, but those of a fixed number of connections")
	only := flag.String("only", "", "measure only what matches `REGEXP`, e.g. 'one stream' or 'TAP.*: landline'")
	profile := flag.String("profile", "", "write what the processor did in the last measurement to `FILE`, and what was allocated to FILE.mem")
	flag.Parse()
	pick, err := regexp.Compile(*only)
	if err != nil || *rounds < 1 || flag.NArg() > 0 {
		flag.Usage()
		return 2
	}
	if cell := os.Getenv(cellVariable); cell != "" {
		err = inner(rows, cell, *each, *profile)
	} else {
		err = measure(name, picked(rows, pick), *rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		return 1
	}
	return 0
}

// picked returns the rows with those of their hosts that are wanted, and that can be had.
func picked(all []*Row, pick *regexp.Regexp) (rows []*Row) {
	for _, r := range all {
		var hosts []*Host
		for _, h := range r.Hosts {
			switch {
			case !pick.MatchString(r.Cell(h)):
			case h.Root && os.Getuid() != 0:
				fmt.Fprintf(os.Stderr, "left out, as it needs root: %s\n", r.Cell(h))
			default:
				hosts = append(hosts, h)
			}
		}
		if r.Hosts = hosts; hosts != nil {
			rows = append(rows, r)
		}
	}
	return rows
}

func measure(name string, rows []*Row, rounds int) error {
	if len(rows) == 0 {
		return errors.New("nothing is called that")
	}
	before := loadAverage()
	var failed error
	for round := range rounds {
		for _, r := range rows {
			for _, h := range r.Hosts {
				v, err := outer(name, r.Cell(h))
				if err != nil {
					failed = errors.Join(failed, err)
					continue
				}
				h.rounds = append(h.rounds, v)
				fmt.Fprintf(os.Stderr, "round %d of %d: %s: %s\n", round+1, rounds, r.Cell(h), strings.Join(texts(v), ", "))
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
