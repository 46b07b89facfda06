package landline_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A floor names packages that stand side by side, and what each may lean on.
type floor struct {
	packages string // "x/..." is x and everything below it
	uses     string // packages of ours that may be imported, all of them further up this table
	modules  string // modules of others that may be needed, directly or not
}

const (
	anything = "..."
	sys      = "golang.org/x/sys"

	parts = " internal/gate internal/ring internal/rangeset internal/siphash"
	stack = "wire link ip udp tcp dhcp dns landline"
)

// house lists the floors from the ground up. An arrow points to an earlier line,
// never along one, and only where it is drawn here. A new package or a
// new arrow is a decision: it needs a change of this table, and a reason.
//
// Tests may import what they like.
var house = []floor{
	// The stack: the standard library, and the system's calls for a TAP.
	{"wire", "", ""},
	{"internal/gate internal/ring internal/rangeset internal/siphash", "", ""},
	{"link", "wire" + parts, sys},
	{"ip", "link wire" + parts, sys},
	{"udp tcp", "ip link wire" + parts, sys},
	{"dhcp dns", "wire", ""},
	{"landline", "udp tcp ip link wire dhcp dns" + parts, sys},
	{"internal/ladder", "dhcp dns link wire", sys},
	{"internal/pkt", "udp tcp ip link wire", sys}, // it runs a stack, and so stands on it
	{"internal/pkt/pktrun", "internal/pkt", sys},
	{"lan", "landline dhcp dns ip link wire" + parts, sys}, // ip for what routers advertise
	{"lantest", "lan landline dns link wire internal/ladder", sys},

	// The line: over any net.Conn, so it does not know the stack.
	{"frame", "", ""},
	{"identity", "", anything},
	{"remote", "frame identity", anything},

	// What people start.
	{"internal/charset", "", "golang.org/x/text"},
	{"cmd/...", anything, anything},
	{"examples/upper", stack, sys}, // what the programs of a pair share
	{"examples/...", "examples/upper " + stack + " lan frame identity remote", anything},
	{"interop/...", anything, anything},
}

// listed is a package as "go list" describes it.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Module     *module // nil in the standard library
}

type module struct {
	Path string
	Main bool // ours
}

// ours reports whether p belongs to this module.
func (p *listed) ours() bool { return p.Module != nil && p.Module.Main }

// name is p's folder in this module, or "landline" for the root.
func (p *listed) name() string {
	if p.ImportPath == p.Module.Path {
		return p.ImportPath
	}
	return strings.TrimPrefix(p.ImportPath, p.Module.Path+"/")
}

func TestArrowsPointDown(t *testing.T) {
	watchSources(t)
	for _, system := range []string{"linux", "darwin", "windows"} {
		t.Run(system, func(t *testing.T) {
			for _, fault := range inspect(goList(t, system)) {
				t.Error(fault)
			}
		})
	}
}

func TestHouseAllowsWhatIsDrawn(t *testing.T) {
	all := invent(
		"wire: fmt", "internal/ring:", "link: wire internal/ring golang.org/x/sys/unix", "ip: link wire",
		"tcp: ip link wire", "udp: ip", "dhcp: wire", "dns: wire", "landline: tcp udp ip dhcp dns", "lan: landline link dhcp dns",
		"frame:", "identity: golang.org/x/crypto/ssh", "remote: frame identity github.com/zeebo/blake3",
		"internal/charset: golang.org/x/text/encoding", "cmd/landline: lan remote internal/charset github.com/spf13/cobra",
		"examples/echo: landline", "interop: remote internal/pkt", "internal/pkt: tcp wire", "internal/pkt/deep:")
	want := []string{"internal/pkt/deep: no floor of the house names this package"}
	if got := inspect(all); !slices.Equal(got, want) {
		t.Errorf("got %q, want only %q", got, want)
	}
}

func TestHouseRefusesWhatIsNotDrawn(t *testing.T) {
	for _, c := range []struct {
		what  string
		graph []*listed
		want  string
	}{
		{"upward", invent("wire: link", "link:"), "wire imports link: no such arrow in the house"},
		{"upward, over a floor", invent("dns: landline", "landline:"), "dns imports landline: no such arrow in the house"},
		{"sideways", invent("tcp: udp", "udp:"), "tcp imports udp: no such arrow in the house"},
		{"sideways between the two houses", invent("remote: landline", "landline:"), "remote imports landline: no such arrow in the house"},
		{"downward, but not drawn", invent("identity: frame", "frame:"), "identity imports frame: no such arrow in the house"},
		{"an example that reaches inside", invent("examples/echo: internal/ring", "internal/ring:"), "examples/echo imports internal/ring: no such arrow in the house"},
		{"unknown", invent("gizmo:"), "gizmo: no floor of the house names this package"},
		{"unknown, beside known ones", invent("internal/misc:"), "internal/misc: no floor of the house names this package"},
		{"a name that only begins like a known one", invent("cmdline:"), "cmdline: no floor of the house names this package"},
		{"a stranger in the stack", invent("ip: github.com/a/b"), "ip needs github.com/a/b, which its floor does not allow"},
		{"a stranger of the same family", invent("tcp: golang.org/x/net"), "tcp needs golang.org/x/net, which its floor does not allow"},
		{"the system where there is no device", invent("wire: golang.org/x/sys/unix"), "wire needs golang.org/x/sys/unix, which its floor does not allow"},
		{"a stranger behind an allowed one", invent("link: golang.org/x/sys/unix", "golang.org/x/sys/unix: github.com/a/b"), "link needs github.com/a/b, which its floor does not allow"},
		{"cgo", invent("link: C"), "link needs C, which its floor does not allow"},
	} {
		if got := inspect(c.graph); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: got %q, want only %q", c.what, got, c.want)
		}
	}
}

// A stranger is reported at every floor that stands on it.
func TestHouseFollowsStrangersUp(t *testing.T) {
	got := inspect(invent("tcp: internal/ring", "internal/ring: github.com/a/b"))
	want := []string{
		"tcp needs github.com/a/b, which its floor does not allow",
		"internal/ring needs github.com/a/b, which its floor does not allow",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The table itself could draw an arrow upward, or name a package twice.
func TestFloorsStandOnLowerOnes(t *testing.T) {
	var below []string
	for _, f := range house {
		for _, name := range strings.Fields(f.uses) {
			if name != anything && !slices.Contains(below, name) {
				t.Errorf("%s uses %s, which is not below it", f.packages, name)
			}
		}
		for _, name := range strings.Fields(f.packages) {
			if slices.Contains(below, name) {
				t.Errorf("%s stands on two floors", name)
			}
			below = append(below, name)
		}
	}
}

// invent makes a graph from lines of the form "package: import import". A name
// with a dot belongs to another module, any other name with a line of its own
// to this one, and the rest, but for C, to the standard library.
func invent(lines ...string) (all []*listed) {
	graph := make(map[string]*listed)
	add := func(name string, ours bool) *listed {
		if graph[name] == nil {
			graph[name] = inventOne(name, ours)
			all = append(all, graph[name])
		}
		return graph[name]
	}
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ":")
		add(name, true)
	}
	for _, line := range lines {
		name, imports, _ := strings.Cut(line, ":")
		for _, to := range strings.Fields(imports) {
			if to != "C" {
				to = add(to, false).ImportPath
			}
			graph[name].Imports = append(graph[name].Imports, to)
		}
	}
	return all
}

func inventOne(name string, ours bool) *listed {
	switch {
	case strings.Contains(name, "."):
		path := strings.Split(name, "/")[:3]
		return &listed{ImportPath: name, Module: &module{Path: strings.Join(path, "/")}}
	case !ours:
		return &listed{ImportPath: name, Standard: true}
	case name == "landline":
		return &listed{ImportPath: name, Module: &module{Path: name, Main: true}}
	}
	return &listed{ImportPath: "landline/" + name, Module: &module{Path: "landline", Main: true}}
}

// inspect returns what is wrong with the packages, which must include all that
// they depend on.
func inspect(all []*listed) (faults []string) {
	byPath := make(map[string]*listed)
	for _, p := range all {
		byPath[p.ImportPath] = p
	}
	for _, p := range all {
		if !p.ours() {
			continue
		}
		f, ok := floorOf(p.name())
		if !ok {
			faults = append(faults, p.name()+": no floor of the house names this package")
			continue
		}
		faults = append(faults, arrows(f, p, byPath)...)
		faults = append(faults, strangers(f, p, byPath)...)
	}
	return faults
}

// arrows returns the imports of our own packages that f does not draw.
func arrows(f floor, p *listed, byPath map[string]*listed) (faults []string) {
	for _, path := range p.Imports {
		if to := byPath[path]; to != nil && to.ours() && !covers(f.uses, to.name()) {
			faults = append(faults, fmt.Sprintf("%s imports %s: no such arrow in the house", p.name(), to.name()))
		}
	}
	return faults
}

// strangers returns what p needs of others, directly or not, that f does not allow.
// An import that is not listed is C.
func strangers(f floor, p *listed, byPath map[string]*listed) (faults []string) {
	seen := make(map[string]bool)
	var visit func(from *listed)
	visit = func(from *listed) {
		for _, path := range from.Imports {
			to := byPath[path]
			if seen[path] || to != nil && to.Standard {
				continue
			}
			seen[path] = true
			if to == nil || !to.ours() && !covers(f.modules, to.Module.Path) {
				faults = append(faults, fmt.Sprintf("%s needs %s, which its floor does not allow", p.name(), path))
				continue
			}
			visit(to)
		}
	}
	visit(p)
	return faults
}

func floorOf(name string) (floor, bool) {
	for _, f := range house {
		if covers(f.packages, name) {
			return f, true
		}
	}
	return floor{}, false
}

// covers reports whether one of the words of list means name.
func covers(list, name string) bool {
	return slices.ContainsFunc(strings.Fields(list), func(word string) bool {
		below, whole := strings.CutSuffix(word, "/...")
		return word == name || word == anything || whole && (name == below || strings.HasPrefix(name, below+"/"))
	})
}

// goList describes every package here, and all that they depend on, as built
// for a system (with cgo, which hides no import of C).
func goList(t *testing.T, system string) (all []*listed) {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,Module", "./...")
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=1")
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go list: %v\n%s", err, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(listed)
		if err := dec.Decode(p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// watchSources opens every folder of the module. "go test" remembers a result
// until a file changes that the test has looked at, and does not know where
// "go list" looks.
func watchSources(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
