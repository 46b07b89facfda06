package remote

import (
	"os"
	"testing"
)

func TestCopiesATreeWhole(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	sampleTree(t, from+"/tree")
	o := copies(t, &source{paths: []string{from + "/tree"}}, &sink{dest: to})
	wantSame(t, to+"/tree", from+"/tree")
	want := CopyResult{Files: 8, Dirs: 5, Links: 3, Bytes: 10 + 10 + 65536 + 65537 + 2*segmentSize + 12345 + 4 + 300_000}
	if o.sink != want {
		t.Errorf("the account is %+v, want %+v", o.sink, want)
	}
	wantNoLitter(t, to)
}

func TestCopiesOverWhatIsThere(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	sampleTree(t, from+"/tree")
	for range 2 {
		copies(t, &source{paths: []string{from + "/tree"}}, &sink{dest: to})
		wantSame(t, to+"/tree", from+"/tree")
	}
	wantNoLitter(t, to)
}

func TestTargetTakesTheNameThatIsGiven(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	sampleTree(t, from+"/tree")
	copies(t, &source{paths: []string{from + "/tree"}}, &sink{dest: to + "/new"})
	wantSame(t, to+"/new", from+"/tree")
	copies(t, &source{paths: []string{"tree"}, base: from}, &sink{dest: "made/", base: to})
	wantSame(t, to+"/made/tree", from+"/tree")
	copies(t, &source{paths: []string{"~/tree/small"}, base: from}, &sink{dest: "file", base: to})
	if b, _ := os.ReadFile(to + "/file"); string(b) != "some words" {
		t.Errorf("the file is %q", b)
	}
}
