package identity

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// hashName hashes a name as known_hosts does, written apart from the code under test.
func hashName(name string) string {
	salt := make([]byte, sha1.Size)
	rand.Read(salt)
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	b64 := base64.StdEncoding.EncodeToString
	return "|1|" + b64(salt) + "|" + b64(mac.Sum(nil))
}

func TestFindsHostInKnownHosts(t *testing.T) {
	w := newWorld(t)
	key, other := newKey(t).PublicKey(), newKey(t).PublicKey()
	ours, theirs := " "+keyText(key)+"\n", " "+keyText(other)+"\n"
	const known, unknown, changed, revoked = -1, HostKeyUnknown, HostKeyChanged, HostKeyRevoked
	for _, test := range []struct {
		host, file string
		want       HostKeyProblem
	}{
		{"shed:7373", "", unknown},
		{"shed:7373", "[shed]:7373" + ours, known},
		{"SHED:7373", "[shed]:7373" + ours, known},
		{"shed:7373", "[SHED]:7373" + ours, known},
		{"shed:7373", "shed" + ours, known},
		{"shed:22", "shed" + ours, known},
		{"shed:22", "[shed]:22" + ours, unknown}, // ssh does not write this either
		{"shed:7373", "[shed]:7374" + ours, unknown},
		{"shed:7373", "desk,[shed]:7373" + ours, known},
		{"shed:7373", "desk" + ours + "# shed" + ours + "\n[shed]:7373" + ours, known},
		{"shed:7373", hashName("[shed]:7373") + ours, known},
		{"shed:7373", hashName("shed") + ours, known},
		{"shed:7373", hashName("desk") + ours, unknown},
		{"shed:7373", hashName("[shed]:7373") + theirs, changed},
		{"10.0.0.1:7373", "[10.0.0.1]:7373" + ours, known},
		{"10.0.0.1:7373", "10.0.0.*" + ours, known},
		{"[fe80::1]:7373", "[fe80::1]:7373" + ours, known},
		{"[fe80::1]:7373", "fe80::1" + ours, known},
		{"shed.lan:7373", "*.lan" + ours, known},
		{"shed.lan:7373", "[*.lan]:7373" + ours, known},
		{"shed.lan:7373", "[*.lan]:7*,!shed.lan" + ours, known},
		{"shed.lan:22", "*.lan,!shed.lan,*" + ours, unknown},
		{"shed.lan:7373", "*.lan,!shed.lan,*" + ours, known}, // by [shed.lan]:7373, which is not negated
		{"shed.lan:7373", "!shed.lan" + ours, unknown},
		{"shed:7373", "[shed]:7373" + theirs, changed},
		{"shed:7373", "shed" + theirs, changed},
		{"shed:7373", "[shed]:7373" + theirs + "[shed]:7373" + ours, known},
		{"shed:7373", "shed" + theirs + "[shed]:7373" + ours, known},
		{"shed:7373", "shed" + ours + "[shed]:7373" + theirs, changed}, // the closer entry counts
		{"shed:7373", "@revoked shed" + ours + "[shed]:7373" + ours, revoked},
		{"shed:7373", "[shed]:7373" + ours + "@revoked [shed]:7373" + ours, revoked},
		{"shed:7373", "@revoked desk" + ours + "[shed]:7373" + ours, known},
		{"shed:7373", "@revoked *" + theirs + "[shed]:7373" + ours, known},
		{"shed:7373", "@revoked *" + theirs, unknown},
		{"shed:7373", "@cert-authority *" + ours, unknown},
		{"shed:7373", "@soup shed" + ours, unknown},
		{"shed:7373", "shed ssh-rsa" + strings.TrimPrefix(ours, " ssh-ed25519"), unknown},
		{"shed:7373", "[shed]:7373" + strings.TrimSuffix(ours, "\n") + " a comment\r\n", known},
	} {
		file := w.write("known_hosts", test.file)
		k := KnownHosts{File: file}
		_, err := k.find(test.host, []proof{newProof(key, nil)}, time.Now())
		var e *HostKeyError
		got := HostKeyProblem(known)
		if errors.As(err, &e) {
			got = e.Problem
		}
		if got != test.want || err != nil && e == nil {
			t.Errorf("%s in %q: %v, want %d", test.host, test.file, err, test.want)
		}
	}
}

func TestRefusesHostThatIsNoNameAndPort(t *testing.T) {
	for _, host := range []string{"", "shed", ":7373", "shed:", "fe80::1", "[fe80::1]", "a b:1", "a,b:1", "*:1", "|1|a|b:1", "shed:x", "a\n:1", "\v:0", "a\u0085:1", "\xff:1", "a:65536", "!a:1", "@a:1"} {
		if line, err := HostLine(host, newKey(t).PublicKey()); err == nil {
			t.Errorf("%q: %q", host, line)
		}
	}
}

func TestReportsBrokenLinesOfKnownHosts(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	w.client.KnownHosts.Log = slog.New(slog.NewTextHandler(&log, nil))
	w.write("known_hosts", "shed\n|1|x|y ssh-ed25519 AAAA\n"+w.read("known_hosts"))
	w.meet().wantLetIn(t)
	for _, want := range []string{"known_hosts:1", "known_hosts:2"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s is not reported:\n%s", want, &log)
		}
	}
}

func TestTakesAnyOfTheHostsKeys(t *testing.T) {
	w := newWorld(t)
	w.server.HostKeys = []ssh.Signer{newKey(t), w.hostKey}
	m := w.meet()
	m.wantLetIn(t)
	if m.host.Fingerprint != ssh.FingerprintSHA256(w.hostKey.PublicKey()) {
		t.Errorf("the client met %s", m.host.Fingerprint)
	}
}

func TestRefusesHostThatProvesOnlyAnotherOfItsKeys(t *testing.T) {
	w := newWorld(t)
	w.asServer(w.forge(RoleServer, newKey(t), false, func(c *claim) {
		c.proofs = append(c.proofs, newProof(w.hostKey.PublicKey(), c.proofs[0].sig))
	}))
	if m := w.meet(); !errors.Is(m.clientErr, ErrSignature) {
		t.Errorf("client: %v, want %v", m.clientErr, ErrSignature)
	}
}

func TestAddMakesFolderAndFileForTheUserAlone(t *testing.T) {
	w := newWorld(t)
	k := KnownHosts{File: filepath.Join(w.home, "new", "deep", "known_hosts")}
	if added, err := k.Add(worldHost, w.hostKey.PublicKey()); err != nil || !added {
		t.Fatalf("added %v, %v", added, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for name, want := range map[string]os.FileMode{"new": 0o700, "new/deep": 0o700, "new/deep/known_hosts": 0o600} {
		fi, err := os.Stat(filepath.Join(w.home, name))
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, fi.Mode().Perm(), want)
		}
	}
}

func TestAddWritesWhatOthersRead(t *testing.T) {
	w := newWorld(t)
	key := newKey(t).PublicKey()
	const before = "desk ssh-ed25519 broken line without its end"
	file := w.write("known_hosts", before)
	k := KnownHosts{File: file}
	for _, host := range []string{"shed:7373", "Desk:22", "[fe80::1]:7373"} {
		if added, err := k.Add(host, key); err != nil || !added {
			t.Fatalf("%s: added %v, %v", host, added, err)
		}
		if added, err := k.Add(host, key); err != nil || added {
			t.Errorf("%s: added %v again, %v", host, added, err)
		}
	}
	text := keyText(key)
	want := before + "\n[shed]:7373 " + text + "\ndesk " + text + "\n[fe80::1]:7373 " + text + "\n"
	if got := w.read("known_hosts"); got != want {
		t.Errorf("known_hosts is\n%s\nwant\n%s", got, want)
	}
	clean := w.write("clean", strings.TrimPrefix(want, before+"\n"))
	check, err := knownhosts.New(clean)
	if err != nil {
		t.Fatal(err)
	}
	near, _ := loopback(t)
	if err := check("shed:7373", near.RemoteAddr(), key); err != nil {
		t.Errorf("another reader does not find what was added: %v", err)
	}
}

func TestAddRefusesAnotherKey(t *testing.T) {
	w := newWorld(t)
	k := KnownHosts{}
	before := w.read("known_hosts")
	added, err := k.Add(worldHost, newKey(t).PublicKey())
	var e *HostKeyError
	if added || !errors.As(err, &e) || e.Problem != HostKeyChanged {
		t.Errorf("added %v, %v; want HostKeyChanged", added, err)
	}
	if w.read("known_hosts") != before {
		t.Error("known_hosts was written to")
	}
}

func TestManyMayAddAtOnce(t *testing.T) {
	w := newWorld(t)
	key := newKey(t).PublicKey()
	file := w.write("known_hosts", "")
	var wg sync.WaitGroup
	var mu sync.Mutex
	sum := 0
	for i := range 32 {
		wg.Go(func() {
			k := KnownHosts{File: file} // each opens the file anew, as another process would
			added, err := k.Add([]string{"a:1", "b:2"}[i%2], key)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if added {
				sum++
			}
		})
	}
	wg.Wait()
	if lines := strings.Count(w.read("known_hosts"), "\n"); sum != 2 || lines != 2 {
		t.Errorf("%d added, %d lines; want 2 and 2", sum, lines)
	}
}

func TestAddWaitsForTheLockAndLooksAgain(t *testing.T) {
	w := newWorld(t)
	key := newKey(t).PublicKey()
	f, err := openLocked(w.write("known_hosts", ""))
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		added bool
		err   error
	}
	done := make(chan result, 1)
	go func() {
		added, err := (&KnownHosts{}).Add(worldHost, key)
		done <- result{added, err}
	}()
	select {
	case r := <-done:
		t.Fatalf("it did not wait: %+v", r)
	case <-time.After(20 * time.Millisecond): // long enough to be caught if it does not
	}
	line, err := HostLine(worldHost, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(line + "\n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if r := <-done; r.added || r.err != nil {
		t.Errorf("%+v, want it to find what was written meanwhile", r)
	}
}

func TestSeesThatAFileWasReplaced(t *testing.T) {
	w := newWorld(t)
	name := w.write("known_hosts", "")
	f, err := openLocked(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !isStill(f, name) {
		t.Error("an open file is not taken for itself")
	}
	if err := os.Rename(w.write("new", ""), name); err != nil {
		t.Fatal(err)
	}
	if isStill(f, name) {
		t.Error("a replaced file is taken for the new one")
	}
}

func TestHostKeyErrorsSayWhatWhereAndWhy(t *testing.T) {
	w := newWorld(t)
	w.know(worldHost, signerOf(t, rsaKey(t)).PublicKey())
	e := w.wantHostKeyProblem(HostKeyChanged, 1)
	for _, want := range []string{worldHost, w.path("known_hosts") + ":1", ssh.FingerprintSHA256(w.hostKey.PublicKey()), "[shed]:7373"} {
		if !strings.Contains(e.Error(), want) {
			t.Errorf("%q does not say %s", e, want)
		}
	}
}
