package lan

import (
	"os"
	"strings"
	"testing"
)

// A record of which a full disk took a part does not spoil the one that follows. One that says what the last one said is not written again.
func TestRecordsAreWholeAfterOneThatWasCut(t *testing.T) {
	var f leaseFile
	if err := f.open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if err := f.replace([]byte("first\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.file.WriteString("cut, though it is lon"); err != nil { // and then the disk was full
		t.Fatal(err)
	}
	for _, record := range []string{"second\n", "second\n", "third\n", "second\n"} {
		if err := f.append([]byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(f.path)
	if err != nil || !strings.HasPrefix(string(b), "first\nsecond\nthird\nsecond\n") {
		t.Errorf("%q, %v", b, err)
	}
}
