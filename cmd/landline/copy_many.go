package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"landline/remote"
)

// splitPlaces splits HOST[,HOST...]:PATH. What it makes of a single host is not to be used: splitPlace has the
// rules for that.
func splitPlaces(s string) (list, path string, ok bool) {
	open := false
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "unix:") && (i == 0 || s[i-1] == ','):
			i += len("unix:") - 1
		case s[i] == '[':
			open = true
		case s[i] == ']':
			open = false
		case s[i] == ':' && !open && !isListedPort(s[i+1:]):
			return s[:i], s[i+1:], true
		}
	}
	return "", "", false
}

// manyPlaces is splitPlaces for what stands in the place of many hosts: with --hosts, :PATH. It is not, if many is
// false.
func (f *copyFlags) manyPlaces(s string) (list, path string, many bool, err error) {
	list, path, ok := splitPlaces(s)
	switch {
	case f.hosts == "":
		return list, path, isMany(list), nil
	case !ok || list != "":
		return "", "", true, &hinted{fmt.Errorf("%q: with --hosts no host stands before the colon", s), "--hosts FILE ... :PATH"}
	}
	return "", path, true, nil
}

// isListedPort says whether a text begins with a port after which a list goes on, or its path comes.
func isListedPort(s string) bool {
	end := strings.IndexAny(s, ",:")
	if end < 0 || s[end] == ',' && !strings.Contains(s[end:], ":") {
		return false
	}
	_, err := strconv.ParseUint(s[:end], 10, 16)
	return err == nil
}

// A copyFanout is one copy from or to many hosts.
type copyFanout struct {
	visitor
	f      *copyFlags
	copy   remote.Copy
	method copyMethod
	dest   func(h host) string
}

// putMany copies to the hosts of a list, or of --hosts.
func (a *app) putMany(f *copyFlags, list string, sources []string, dest string) error {
	m := &copyFanout{f: f, copy: remote.Copy{Paths: sources}, method: (*remote.Client).Put}
	m.dest = func(host) string { return dest }
	return m.all(a, list)
}

// getMany copies from the hosts of a list, or of --hosts, to a folder for each in dest. The other sources must be
// on the same hosts.
func (a *app) getMany(f *copyFlags, list, path string, others []string, dest string) error {
	paths := []string{path}
	for _, s := range others {
		from, path, _, err := f.manyPlaces(s)
		if err != nil {
			return err
		}
		if from != list {
			return fmt.Errorf("%s and %s: the same hosts in each of them", list, s)
		}
		paths = append(paths, path)
	}
	if err := checkDest(dest); err != nil {
		return err
	}
	if err := f.makeFolder(&dest); err != nil {
		return err
	}
	m := &copyFanout{f: f, copy: remote.Copy{Paths: paths, Into: true}, method: (*remote.Client).Get}
	m.dest = func(h host) string { return filepath.Join(dest, folderName(h)) }
	return m.all(a, list)
}

// makeFolder makes the folder that has one for each host. A dry run looks as if into an empty one, beside it.
func (f *copyFlags) makeFolder(dest *string) error {
	if _, err := os.Stat(*dest); f.dryRun && errors.Is(err, fs.ErrNotExist) {
		*dest = filepath.Dir(*dest)
		return nil
	} else if err == nil {
		return nil
	}
	return os.Mkdir(*dest, 0o777)
}

// folderName is a host's name as that of a folder.
func folderName(h host) string {
	if name := strings.TrimLeft(h.text, "."); name == "" {
		return strings.Repeat("%2E", len(h.text))
	}
	return strings.NewReplacer("%", "%25", "/", "%2F").Replace(h.text)
}

func (m *copyFanout) all(a *app, list string) error {
	m.a, m.flags = a, &m.f.lineFlags
	if err := m.f.prepare(&m.copy); err != nil {
		return err
	}
	hosts, err := a.manyHosts(&m.f.manyFlags, list)
	if err != nil {
		return err
	}
	if m.file, err = openVerdict(m.f.verdict); err != nil {
		return err
	}
	err = m.visit(hosts, m.f.parallel, m.one)
	a.say("%s", m.tally.String())
	return err
}

// one copies from or to one host, and counts how it ended.
func (m *copyFanout) one(ctx context.Context, h host) {
	c := m.copy
	c.Dest = m.dest(h)
	if c.DryRun {
		c.Progress = m.a.lister(h.text)
	}
	c.OnError = func(name string, err error) { m.a.fail(fmt.Errorf("%s: %w", h.text, notCopied(c.Paths, name, err))) }
	start := time.Now()
	r, err := copyOver(ctx, m.dialer(h), c, m.method)
	v := newCopyVerdict(h, &r, time.Since(start), err)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.file.add(v)
	if m.a.json {
		printJSON(&m.a.out, v)
	}
	err = explainCopy(h, &r, err)
	if err == nil {
		m.tally.add("copied", 0)
		return
	}
	failed := ending(err)
	m.a.fail(failed.err)
	end := "failed"
	if failed.code == exitSome {
		end = "copied in part"
	}
	m.tally.add(end, failed.code)
}
