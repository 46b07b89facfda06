package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"
)

const (
	// maxHosts bounds what a range may stand for.
	maxHosts = 100_000
	// usualParallel is how many hosts are visited at a time. What a host costs is memory; one that does not
	// answer holds its place for a while, and must not keep the others waiting.
	usualParallel = 1000
	maxHostsFile  = 16 << 20 // bytes
)

// manyFlags are those of verbs that go to many hosts.
type manyFlags struct {
	hosts    string
	parallel int
}

func (f *manyFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.hosts, "hosts", "", "`FILE` of hosts in place of HOST, one or a list a line, # for remarks; - is standard input")
	cmd.Flags().IntVar(&f.parallel, "parallel", usualParallel, "visit `N` hosts at a time")
}

func (f *manyFlags) check() error {
	if f.parallel < 1 {
		return fmt.Errorf("--parallel %d: at least 1", f.parallel)
	}
	return nil
}

// A hostList gathers hosts, each once, in the order in which they were named.
type hostList struct {
	hosts  []host
	seen   map[string]bool // by network and address
	twice  []string        // what was named again
	groups *groups
	within []string // the groups that are being opened
}

// manyHosts returns the hosts of a list, or of --hosts if that was given.
func (a *app) manyHosts(f *manyFlags, list string) ([]host, error) {
	l := &hostList{seen: make(map[string]bool), groups: &groups{}}
	var err error
	if f.hosts != "" {
		err = l.addFile(f.hosts)
	} else {
		err = l.add(list)
	}
	if err != nil {
		return nil, err
	}
	if len(l.hosts) == 0 {
		return nil, errors.New("--hosts: no hosts in it")
	}
	if n := len(l.twice); n > 0 {
		a.say("named more than once, and visited once: %s", strings.Join(l.twice, ", "))
	}
	return l.hosts, nil
}

// addFile adds the hosts of a file.
func (l *hostList) addFile(name string) error {
	in, err := os.Stdin, error(nil)
	if name != "-" {
		if in, err = os.Open(name); err != nil {
			return fmt.Errorf("--hosts %s: %w", name, bare(err))
		}
		defer in.Close()
	}
	lines := bufio.NewScanner(io.LimitReader(in, maxHostsFile))
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(" "+lines.Text(), " #")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if err := l.add(text); err != nil {
			return fmt.Errorf("--hosts: line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("--hosts: %w", err)
	}
	return nil
}

// add adds the hosts of a list: names, ranges and groups between commas.
func (l *hostList) add(list string) error {
	for _, item := range splitList(list) {
		if name, ok := strings.CutPrefix(item, "@"); ok {
			if err := l.addGroup(name); err != nil {
				return err
			}
			continue
		}
		names, err := expand(item, maxHosts-len(l.hosts))
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := l.addHost(name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *hostList) addHost(name string) error {
	h, err := parseHost(name)
	if err != nil {
		return err
	}
	key := h.network + " " + strings.ToLower(h.addr)
	if l.seen[key] {
		l.twice = append(l.twice, h.text)
		return nil
	}
	l.seen[key] = true
	l.hosts = append(l.hosts, h)
	return nil
}

// splitList splits a list at the commas that are outside of brackets.
func splitList(s string) (items []string) {
	start, open := 0, false
	for i := range len(s) {
		switch s[i] {
		case '[':
			open = true
		case ']':
			open = false
		case ',':
			if !open {
				items = append(items, s[start:i])
				start = i + 1
			}
		}
	}
	return append(items, s[start:])
}

// numbers are a range in brackets, or several: [01-40], [1-3,7]. An IPv6 address in brackets has a colon.
var numbers = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\[(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)\]`)
})

// isMany says whether a HOST is more than the name of one.
func isMany(s string) bool {
	return strings.HasPrefix(s, "@") || strings.Contains(s, "[") && numbers().MatchString(s) || len(splitList(s)) > 1
}

// expand returns the names that a name with ranges stands for, at most so many.
func expand(s string, most int) ([]string, error) {
	at := numbers().FindStringSubmatchIndex(s)
	if at == nil {
		return []string{s}, nil
	}
	ends, err := expand(s[at[1]:], most)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, part := range strings.Split(s[at[2]:at[3]], ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		lo, err1 := strconv.ParseUint(first, 10, 32)
		hi, err2 := strconv.ParseUint(last, 10, 32)
		if errors.Join(err1, err2) != nil || lo > hi || len(first) > 10 {
			return nil, fmt.Errorf("%q: %s is no range", s, part)
		}
		if (hi-lo+1)*uint64(len(ends)) > uint64(most-len(names)) {
			return nil, fmt.Errorf("%q: more than %d hosts", s, maxHosts)
		}
		for n := lo; n <= hi; n++ {
			for _, end := range ends {
				// As long as the first: web[01-40] begins with web01.
				names = append(names, fmt.Sprintf("%s%0*d%s", s[:at[0]], len(first), n, end))
			}
		}
	}
	return names, nil
}

// fold writes names briefly, as expand reads them: those that differ in their last number alone become ranges.
// Names that follow each other stay together.
func fold(names []string) string {
	var b strings.Builder
	for i := 0; i < len(names); {
		before, digits, after := cutNumber(names[i])
		ranges, n := foldNumbers(names[i:], before, digits, after)
		if i > 0 {
			b.WriteByte(',')
		}
		if n == 1 {
			b.WriteString(names[i])
		} else {
			b.WriteString(before + "[" + ranges + "]" + after)
		}
		i += n
	}
	return b.String()
}

// foldNumbers returns the ranges of numbers between before and after that names begin with, and how many names
// that are. The numbers must be written as long as the first.
func foldNumbers(names []string, before, first, after string) (ranges string, n int) {
	var b strings.Builder
	for n < len(names) {
		lo, ok := numberOf(names[n], before, first, after)
		if !ok {
			break
		}
		hi := lo
		for n++; n < len(names); n++ {
			if next, ok := numberOf(names[n], before, first, after); !ok || next != hi+1 {
				break
			}
			hi++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%0*d", len(first), lo)
		if hi > lo {
			fmt.Fprintf(&b, "-%0*d", len(first), hi)
		}
	}
	return b.String(), max(n, 1)
}

func numberOf(name, before, first, after string) (uint64, bool) {
	b, digits, a := cutNumber(name)
	// 9 and 10 are [9-10], but 09 and 1 are no range.
	if b != before || a != after || digits == "" || len(digits) != len(first) && (first[0] == '0' || digits[0] == '0' || len(digits) < len(first)) {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return n, err == nil
}

// cutNumber cuts a name around the last number in it that is not a port or part of an address.
func cutNumber(name string) (before, digits, after string) {
	end := len(name)
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasPrefix(name, "unix:") {
		end = i
	}
	for end > 0 && !isDigit(name[end-1]) {
		end--
	}
	start := end
	for start > 0 && isDigit(name[start-1]) {
		start--
	}
	return name[:start], name[start:end], name[end:]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
