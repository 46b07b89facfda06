package pkt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

const scriptDir = "../../tcp/testdata"

// The scripts are one behavior each. The comment at the beginning quotes the sentence that it proves.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(scriptDir, "*.pkt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts in %s, %v", len(files), scriptDir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pkt")
		t.Run(name, func(t *testing.T) { runFile(t, file) })
	}
}

func runFile(t *testing.T, file string) {
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(src), "// ") {
		t.Errorf("%s does not begin with what it proves", file)
	}
	script, err := Parse(file, string(src))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ignored, err := Run(script, Config{Strict: true})
		if err != nil {
			t.Error(err)
		}
		for _, i := range ignored {
			t.Errorf("%s:%d: has no effect: %s", file, i.Line, i.Text)
		}
	})
}
