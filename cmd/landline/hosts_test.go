package main

import (
	"slices"
	"strings"
	"testing"
)

func TestRangesAreWrittenOut(t *testing.T) {
	for _, c := range []struct{ list, want string }{
		{"shed", "shed"},
		{"shed,desk", "shed desk"},
		{"web[01-03]", "web01 web02 web03"},
		{"web[8-11]", "web8 web9 web10 web11"},
		{"web[08-11].lan:7374", "web08.lan:7374 web09.lan:7374 web10.lan:7374 web11.lan:7374"},
		{"n[1-3,7]", "n1 n2 n3 n7"},
		{"n[1,2],m[1]", "n1 n2 m1"},
		{"r[1-2]n[1-2]", "r1n1 r1n2 r2n1 r2n2"},
		{"[1-2].lan", "1.lan 2.lan"},
		{"[::1],[::2]:80,::3", "[::1] [::2]:80 ::3"},
		{"[fe80::[1-2]]:80", "[fe80::1]:80 [fe80::2]:80"},
		{"unix:/run/[1-2]", "unix:/run/1 unix:/run/2"},
		{"a,A,a:7373", "a"},
		{"n[2-1]", ""}, {"n[]", ""}, {"n[1-]", ""}, {"n[1", ""}, {"n[a-b]", ""}, {"a,,b", ""}, {",", ""},
		{"n[0-100000]", ""}, {"n[0-999][0-999]", ""}, {"n[00000000001-00000000002]", ""},
	} {
		l := hostList{seen: make(map[string]bool), groups: &groups{}}
		err := l.add(c.list)
		var names []string
		for _, h := range l.hosts {
			names = append(names, h.text)
		}
		if got := strings.Join(names, " "); c.want != "" && (err != nil || got != c.want) || c.want == "" && err == nil {
			t.Errorf("%q is %q, %v", c.list, got, err)
		}
	}
}

func TestOneNameIsNotMany(t *testing.T) {
	for list, many := range map[string]bool{
		"shed": false, "shed:1": false, "[::1]:7373": false, "unix:/run/x": false, "ann@shed": false,
		"a,b": true, "n[1]": true, "n[1-2]": true, "@web": true, "[::1],[::2]": true,
	} {
		if isMany(list) != many {
			t.Errorf("%q: many is %v", list, !many)
		}
	}
}

// What is folded can be typed again.
func TestFoldedNamesAreReadAsTheyWere(t *testing.T) {
	for _, c := range []struct{ names, want string }{
		{"shed", "shed"},
		{"web01 web02 web03 web07", "web[01-03,07]"},
		{"n8 n9 n10 n11", "n[8-11]"},
		{"n99 n100 n3", "n[99-100],n3"},
		{"n09 n10 n9", "n[09-10],n9"},
		{"a1 b1 b2 desk", "a1,b[1-2],desk"},
		{"r1n1.lan r1n2.lan r2n1.lan", "r1n[1-2].lan,r2n1.lan"},
		{"shed:7373 shed:7374", "shed:7373,shed:7374"},
		{"n1:7373 n2:7373", "n[1-2]:7373"},
		{"127.0.0.1:80 127.0.0.2:80", "127.0.0.[1-2]:80"},
		{"unix:/run/1 unix:/run/2", "unix:/run/[1-2]"},
		{"[fe80::1]:80 [fe80::2]:80", "[fe80::[1-2]]:80"},
		{"[fe80::1] [fe80::2]", "[fe80::1],[fe80::2]"},
		{"::1 ::2", "::1,::2"},
		{"n1 n1000000000000", "n1,n1000000000000"},
	} {
		names := strings.Fields(c.names)
		got := fold(names)
		if got != c.want {
			t.Errorf("%q is folded to %q", c.names, got)
		}
		var back []string
		for _, item := range splitList(got) {
			expanded, err := expand(item, maxHosts)
			if err != nil {
				t.Fatal(err)
			}
			back = append(back, expanded...)
		}
		if !slices.Equal(back, names) {
			t.Errorf("%q comes back as %q", names, back)
		}
	}
}
