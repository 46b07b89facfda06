// Command line measures landline beside OpenSSH and rsync: a command on another
// machine, one large file, many small ones. It prints a table in Markdown for
// each and says whether landline's lead is what it was meant to be.
//
// Run it from bench/: go run ./line
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"

	"landline/bench/internal/rig"
)

func main() {
	rounds := flag.Int("rounds", 7, "counted rounds, each of every command in turn, after one that is not counted")
	only := flag.String("only", "", "measure only what matches `REGEXP`, e.g. 'KiB, get' or 'Cold.*(landline|curve)'")
	binary := flag.String("landline", "", "measure this `FILE` instead of building one")
	calls := flag.String("calls", "", "(how the program starts itself) run the calls of the library at `ADDR`")
	flag.Parse()
	if *calls != "" {
		if err := callLibrary(*calls, os.Getenv("HOME")+"/.."); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	pick, err := regexp.Compile(*only)
	if err != nil || *rounds < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	rig.Run(*binary, func(r *rig.Rig) error { return measure(r, *rounds, pick) })
}

func measure(r *rig.Rig, rounds int, pick *regexp.Regexp) error {
	groups := picked(pick)
	if len(groups) == 0 {
		return fmt.Errorf("nothing is called %s", pick)
	}
	b, err := newBench(r, groups)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", r.About())
	for _, g := range groups {
		if err := b.run(g, rounds); err != nil {
			return err
		}
		g.print(os.Stdout)
	}
	return nil
}

// picked returns the groups with those of their jobs that are wanted.
func picked(pick *regexp.Regexp) []*group {
	var picked []*group
	for _, g := range groups() {
		var jobs []*job
		for _, j := range g.jobs {
			if pick.MatchString(g.title + ": " + j.name) {
				jobs = append(jobs, j)
			}
		}
		if g.jobs = jobs; jobs != nil {
			picked = append(picked, g)
		}
	}
	return picked
}
