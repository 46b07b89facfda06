package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// groups are those of hosts.toml in the configuration folder, read when the first is asked for:
//
//	[groups]
//	web = ["web[01-40]"]
//	all = ["@web", "db:7374"]
type groups struct {
	file   string // "" until it is read
	byName map[string][]string
}

func (g *groups) read() error {
	if g.file != "" {
		return nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return err
	}
	g.file = filepath.Join(dir, "landline", "hosts.toml")
	f, err := os.Open(g.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var content struct {
		Groups map[string][]string `toml:"groups"`
	}
	if err := toml.NewDecoder(f).DisallowUnknownFields().Decode(&content); err != nil {
		return fmt.Errorf("%s: %w", g.file, plainTOML(err))
	}
	g.byName = content.Groups
	return nil
}

// plainTOML says where in the file a fault is, in one line.
func plainTOML(err error) error {
	if e, ok := errors.AsType[*toml.StrictMissingError](err); ok && len(e.Errors) > 0 {
		return fmt.Errorf("%s: only [groups] is known here", strings.Join(e.Errors[0].Key(), "."))
	}
	if e, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, column := e.Position()
		return fmt.Errorf("line %d, column %d: %s", row, column, strings.TrimPrefix(e.Error(), "toml: "))
	}
	return err
}

// addGroup adds the hosts of a group.
func (l *hostList) addGroup(name string) error {
	if err := l.groups.read(); err != nil {
		return err
	}
	members, ok := l.groups.byName[name]
	if !ok {
		known := slices.Sorted(maps.Keys(l.groups.byName))
		return &hinted{fmt.Errorf("@%s: no such group in %s", name, l.groups.file), knownGroups(known)}
	}
	if slices.Contains(l.within, name) {
		return fmt.Errorf("@%s: the group has itself in it", name)
	}
	l.within = append(l.within, name)
	defer func() { l.within = l.within[:len(l.within)-1] }()
	for _, m := range members {
		if err := l.add(m); err != nil {
			return fmt.Errorf("@%s: %w", name, err)
		}
	}
	return nil
}

func knownGroups(names []string) string {
	if len(names) == 0 {
		return "[groups] there has lines like web = [\"web[01-40]\"]"
	}
	return "there are: @" + strings.Join(names, " @")
}
