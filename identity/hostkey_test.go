package identity

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestMakesOneHostKeyHoweverManyAsk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config", "landline")
	var mu sync.Mutex
	keys := make(map[string]int)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			s, name, err := ownHostKey(dir)
			if err != nil {
				t.Error(err)
				return
			}
			if name != filepath.Join(dir, "host_ed25519_key") {
				t.Errorf("the key is in %s", name)
			}
			mu.Lock()
			defer mu.Unlock()
			keys[ssh.FingerprintSHA256(s.PublicKey())]++
		})
	}
	wg.Wait()
	if len(keys) != 1 {
		t.Errorf("%d different keys", len(keys))
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 {
		t.Errorf("%d files in the folder, want the key alone", len(files))
	}
	fi, err := files[0].Info()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %o", fi.Mode().Perm())
	}
}

func TestTakesTheHostKeyThatIsNamed(t *testing.T) {
	w := newWorld(t)
	key := ed25519Key(t)
	file := w.writeKey("host", key)
	s, name, err := HostKey(file, w.home)
	if err != nil {
		t.Fatal(err)
	}
	if name != file || keyText(s.PublicKey()) != keyText(signerOf(t, key).PublicKey()) {
		t.Errorf("got %s from %s", describe(s.PublicKey()), name)
	}
	if _, _, err := HostKey(w.path("missing"), w.home); !os.IsNotExist(err) {
		t.Errorf("a named key that is missing: %v", err)
	}
	if files, _ := os.ReadDir(w.home); len(files) != 1 {
		t.Error("something was made though a key was named")
	}
}

func TestDoesNotReplaceABrokenHostKey(t *testing.T) {
	w := newWorld(t)
	w.write("host_ed25519_key", "not a key")
	if _, _, err := ownHostKey(w.path("")); err == nil || !strings.Contains(err.Error(), "host_ed25519_key") {
		t.Errorf("%v, want it to name the file", err)
	}
	if w.read("host_ed25519_key") != "not a key" {
		t.Error("it was replaced")
	}
}
