package main

import (
	"cmp"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/kevinburke/ssh_config"
)

// An sshConfig is ~/.ssh/config, read when the first host is looked up.
type sshConfig struct {
	once   sync.Once
	home   string
	config *ssh_config.Config // nil if there is none
}

// An sshHost is what ~/.ssh/config says of a host, as far as it makes sense here. The port is sshd's
// and the user sshd's, so they are left alone; so is everything else.
type sshHost struct {
	hostName   string   // HostName, "" if nothing is said
	alias      string   // HostKeyAlias
	knownHosts string   // UserKnownHostsFile, the first one
	identities []string // IdentityFile, those that are there
}

func (c *sshConfig) read() error {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil // then there is no such file either
	}
	c.home = home
	f, err := os.Open(filepath.Join(home, ".ssh", "config"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	c.config, err = ssh_config.Decode(f)
	return err
}

// sshHost returns what ~/.ssh/config says of a name. If the file cannot be read, that is told once.
func (a *app) sshHost(name string) sshHost {
	c := &a.ssh
	c.once.Do(func() {
		if err := c.read(); err != nil {
			a.say("~/.ssh/config is left out: %v", bare(err))
		}
	})
	if c.config == nil {
		return sshHost{}
	}
	h := sshHost{hostName: c.one(name, "HostName"), alias: c.one(name, "HostKeyAlias")}
	h.hostName = strings.NewReplacer("%h", name, "%%", "%").Replace(h.hostName)
	expand := strings.NewReplacer("%%", "%", "%d", c.home, "%n", name, "%h", cmp.Or(h.hostName, name))
	if files := strings.Fields(c.one(name, "UserKnownHostsFile")); len(files) > 0 {
		h.knownHosts = c.path(expand, strings.Trim(files[0], `"`))
	}
	// No error comes of what was decoded.
	files, _ := c.config.GetAll(name, "IdentityFile")
	for _, f := range files {
		f = c.path(expand, f)
		if _, err := os.Stat(f); err == nil {
			h.identities = append(h.identities, f)
		}
	}
	return h
}

func (c *sshConfig) one(name, key string) string {
	value, _ := c.config.Get(name, key) // as above
	return value
}

func (c *sshConfig) path(expand *strings.Replacer, name string) string {
	name = expand.Replace(name)
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		return filepath.Join(c.home, rest)
	}
	return name
}

// address returns where a host is, and by which name known_hosts knows it: both name:port.
func (h *sshHost) address(addr string) (to, knownAs string) {
	name, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr, addr
	}
	name = cmp.Or(h.hostName, name)
	return net.JoinHostPort(name, port), net.JoinHostPort(cmp.Or(h.alias, name), port)
}
