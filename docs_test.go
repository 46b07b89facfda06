package landline_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What a document names in proof has to be there: tests, and the scripts of tcp/testdata.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	there := testsThatExist(t)
	docs, err := filepath.Glob("docs/*.md")
	if err != nil || len(docs) == 0 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	named := 0
	for _, doc := range docs {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range proofs(string(text)) {
			if named++; !there[name] {
				t.Errorf("%s: there is no %s", doc, name)
			}
		}
	}
	if named < 100 {
		t.Errorf("only %d tests are named", named)
	}
	if there["TestThatIsNotThere"] || len(proofs("`TestA` and `pkg`: `a-b.pkt`, TestC")) != 2 {
		t.Error("it sees what is not there")
	}
}

// The program in the README is one that runs.
func TestReadmeShowsAnExample(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```go\n")
	shown, _, found := strings.Cut(rest, "```")
	indented := "\t" + strings.ReplaceAll(strings.TrimSuffix(shown, "\n"), "\n", "\n\t") + "\n"
	if !found || !strings.Contains(string(examples), indented) {
		t.Errorf("no example has\n%s", shown)
	}
}

var proof = regexp.MustCompile("`((?:Test|Fuzz|Example)[A-Za-z0-9_]+|[a-z0-9-]+\\.pkt)`")

func proofs(text string) (names []string) {
	for _, m := range proof.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

func testsThatExist(t *testing.T) map[string]bool {
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w+)\(`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case strings.HasSuffix(path, ".pkt"):
			there[d.Name()] = true
		case strings.HasSuffix(path, "_test.go"):
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range declared.FindAllSubmatch(b, -1) {
				there[string(m[1])] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return there
}

// The functions that a document says are in a file are there.
func TestDocumentsNameFunctionsThatExist(t *testing.T) {
	docs, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, doc := range docs {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range places(string(text)) {
			there := functionsOf(t, p.files)
			for _, f := range p.functions {
				if named++; !there[f] {
					t.Errorf("%s: there is no %s in %s", doc, f, strings.Join(p.files, ", "))
				}
			}
		}
	}
	if named < 80 {
		t.Errorf("only %d functions are named", named)
	}
	if p := places("`a.B`, `c` in [`d/e.go`](../d/e.go) and [`f.go`](../f.go)"); len(p) != 1 || len(p[0].functions) != 2 || len(p[0].files) != 2 {
		t.Errorf("%v", p)
	}
	if functionsOf(t, []string{"docs_test.go"})["nothing"] || !functionsOf(t, []string{"host.go"})["Host.Close"] {
		t.Error("it sees what is not there, or not what is")
	}
}

// A place is where a document says that functions are: "`a.B`, `c` in [`d/e.go`](../d/e.go)".
type place struct{ functions, files []string }

var (
	placed   = regexp.MustCompile("((?:`[\\w.]+`(?:, | and )?)+) in ((?:\\[`[\\w/]+\\.go`\\]\\([\\w/.]+\\)(?:, | and )?)+)")
	function = regexp.MustCompile("`([\\w.]+)`")
	file     = regexp.MustCompile("\\[`([\\w/]+\\.go)`\\]\\(\\.\\./([\\w/]+\\.go)\\)")
)

func places(text string) (all []place) {
	for _, m := range placed.FindAllStringSubmatch(text, -1) {
		var p place
		for _, f := range function.FindAllStringSubmatch(m[1], -1) {
			p.functions = append(p.functions, f[1])
		}
		for _, f := range file.FindAllStringSubmatch(m[2], -1) {
			p.files = append(p.files, f[2])
		}
		all = append(all, p)
	}
	return all
}

// functionsOf returns the names of the functions that files declare, methods as "Type.Method".
func functionsOf(t *testing.T, files []string) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (?:\((?:\w+ )?\*?(\w+)(?:\[\w+\])?\) )?(\w+)\(`)
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, m := range declared.FindAllStringSubmatch(string(b), -1) {
			there[strings.TrimPrefix(m[1]+"."+m[2], ".")] = true
		}
	}
	return there
}
