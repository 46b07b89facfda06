package main

import (
	"net"
	"strings"
	"testing"
)

func TestHostIsNamePortOrSocket(t *testing.T) {
	for _, c := range []struct{ text, network, addr string }{
		{"shed", "tcp", "shed:7373"},
		{"shed:22", "tcp", "shed:22"},
		{"shed.lan.", "tcp", "shed.lan.:7373"},
		{"10.0.0.1:1", "tcp", "10.0.0.1:1"},
		{"[::1]:65535", "tcp", "[::1]:65535"},
		{"[::1]", "tcp", "[::1]:7373"},
		{"[fe80::1%eth0]:80", "tcp", "[fe80::1%eth0]:80"},
		{"::1", "tcp", "[::1]:7373"},
		{"unix:/run/x", "unix", "/run/x"},
		{"unix:x", "unix", "x"},
		{"büro", "tcp", "büro:7373"},
	} {
		h, err := parseHost(c.text)
		if err != nil || h != (host{c.text, c.network, c.addr}) {
			t.Errorf("%q is %+v, %v", c.text, h, err)
		}
	}
}

func TestHostRefusesWhatIsNone(t *testing.T) {
	for _, s := range []string{
		"", ":", ":22", "shed:", "shed:0", "shed:65536", "shed:-1", "shed:ssh", "a b", "a/b", "[", "[]", "[::1", "[::1]x",
		"[::1]:", "[::1]:0", "[shed:x]", "::1:7373x", "a:b:c", "unix:", "ann@shed", "a,b", "a\x1b[m", "shed\n",
	} {
		if h, err := parseHost(s); err == nil {
			t.Errorf("%q is taken for %+v", s, h)
		}
	}
}

func TestPlaceIsHostAndPath(t *testing.T) {
	for _, c := range []struct{ text, addr, path string }{
		{"shed:", "shed:7373", ""},
		{"shed:notes", "shed:7373", "notes"},
		{"shed:22", "shed:7373", "22"},
		{"shed:22:", "shed:22", ""},
		{"shed:22:x", "shed:22", "x"},
		{"shed:22x:y", "shed:7373", "22x:y"},
		{"shed:99999:y", "shed:7373", "99999:y"},
		{"shed:/a:b", "shed:7373", "/a:b"},
		{"shed::x", "shed:7373", ":x"},
		{"[::1]:x", "[::1]:7373", "x"},
		{"[::1]:22:x", "[::1]:22", "x"},
		{"[::1]:22", "[::1]:7373", "22"},
		{"unix:/run/x:y:z", "/run/x", "y:z"},
		{"unix:x:", "x", ""},
	} {
		h, path, err := splitPlace(c.text)
		if err != nil || h.addr != c.addr || path != c.path {
			t.Errorf("%q is %q of %+v, %v", c.text, path, h, err)
		}
	}
	for _, s := range []string{"", "notes", "/a/b", "[::1]", "[::1", "[::1]x:y", "unix:", "unix:/run/x", "unix::x", ":x", "a/b:c"} {
		if h, path, err := splitPlace(s); err == nil {
			t.Errorf("%q is taken for %q of %+v", s, path, h)
		}
	}
}

// A place is put together again from its parts, and its host is a host.
func FuzzSplitPlace(f *testing.F) {
	for _, s := range []string{"shed:22:x", "[::1]:22:x", "unix:/run/x:y", "a:b", "[fe80::1%e]:x", "shed:022:", "::1:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, path, err := splitPlace(s)
		if err != nil {
			return
		}
		if h.text+":"+path != s {
			t.Errorf("%q became %q and %q", s, h.text, path)
		}
		if again, err := parseHost(h.text); err != nil || again != h {
			t.Errorf("the host of %q is %+v, and by itself %+v, %v", s, h, again, err)
		}
		if h.network == "tcp" {
			if _, _, err := net.SplitHostPort(h.addr); err != nil || strings.ContainsAny(h.addr, " /\x1b\n") {
				t.Errorf("%q leads to the address %q, %v", s, h.addr, err)
			}
		}
	})
}
