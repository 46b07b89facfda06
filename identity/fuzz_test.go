package identity

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// fixedKey returns a key that is the same in every run, as a fuzzer's seeds should be.
func fixedKey(t testing.TB, seed byte) ssh.Signer {
	return signerOf(t, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
}

// FuzzDelegation feeds the parser of the extension. What it accepts is bounded, is
// written again as it was read, and its proofs hold only if the key signed.
func FuzzDelegation(f *testing.F) {
	c := &claim{
		role: RoleClient, spki: []byte("spki"),
		notBefore: time.Unix(1_000_000, 0), notAfter: time.Unix(1_000_000, 0).Add(time.Hour),
	}
	signers := []ssh.Signer{fixedKey(f, 1), fixedKey(f, 2)}
	c.sign(signers)
	good := c.appendExtension(nil)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 6, 's', 'e', 'r', 'v', 'e', 'r'})
	f.Add([]byte{0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		got := &claim{spki: c.spki, notBefore: c.notBefore, notAfter: c.notAfter}
		if got.parseExtension(b) != nil {
			return
		}
		if n := len(got.proofs); n == 0 || n > maxProofs {
			t.Fatalf("%d proofs", n)
		}
		again := &claim{spki: c.spki, notBefore: c.notBefore, notAfter: c.notAfter}
		if err := again.parseExtension(got.appendExtension(nil)); err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		for i, p := range got.proofs {
			if !bytes.Equal(again.proofs[i].sig, p.sig) || !bytes.Equal(again.proofs[i].plain, p.plain) {
				t.Fatalf("proof %d was written otherwise than read", i)
			}
			if got.verify(p) != nil {
				continue
			}
			if got.role != RoleClient || !bytes.Equal(p.sig, c.proofs[0].sig) && !bytes.Equal(p.sig, c.proofs[1].sig) {
				t.Fatalf("a proof holds that nobody signed: %x", p.sig)
			}
		}
	})
}

// FuzzAuthorizedKeys feeds the parser of lines and options. A line that package ssh understands as well is
// understood to hold the same key, and options that are not obeyed let nobody in.
func FuzzAuthorizedKeys(f *testing.F) {
	key := keyText(fixedKey(f, 1).PublicKey())
	for _, options := range []string{
		"", "restrict,pty ", `command="a \"b\" c",no-pty `, `from="10.0.0.0/8,!10.1.*" `, `expiry-time="20300101Z" `,
		`cert-authority,principals="a,b" `, "soup ", `a="b",`, `"`,
	} {
		f.Add(options + key + " comment")
	}
	f.Add("# " + key)
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\n") {
			return
		}
		e, err := parseAuthorizedLine(line)
		if e == nil || err != nil {
			return
		}
		if other, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line)); err == nil && !bytes.Equal(other.Marshal(), e.blob) {
			if key, err := ssh.ParsePublicKey(e.blob); err == nil && bytes.Equal(key.Marshal(), e.blob) {
				t.Fatalf("%q: another key than package ssh reads", line)
			}
		}
		o, err := parseOptions(e.options)
		if err != nil {
			return
		}
		if e.options == "" && (o.authority || o.from != nil || o.permit != (Permit{})) {
			t.Fatalf("options out of nothing: %+v", o)
		}
		err = o.check(netip.MustParseAddr("10.1.2.3"), time.Unix(1_800_000_000, 0))
		if err == nil && o.from != nil && *o.from == "" {
			t.Fatal("from nowhere lets in")
		}
	})
}

// FuzzKnownHosts feeds the parser of lines. What it finds for a host is in the
// line, and the host is still found after the line is written down by Add's rules.
func FuzzKnownHosts(f *testing.F) {
	key := fixedKey(f, 1).PublicKey()
	text := keyText(key)
	for _, names := range []string{
		"shed", "[shed]:7373", "*.lan,!shed.lan", "@revoked *", "@cert-authority *.lan", "@soup shed",
		"|1|AAAAAAAAAAAAAAAAAAAAAAAAAAA=|AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "|1||", "#",
	} {
		f.Add(names+" "+text, "shed.lan:7373")
	}
	f.Add("0", "\v:0") // a name that is a space
	f.Fuzz(func(t *testing.T, line, host string) {
		names, err := hostNames(host)
		if err != nil {
			return
		}
		written, err := HostLine(host, key)
		if err != nil {
			t.Fatalf("%q has names but no line: %v", host, err)
		}
		entries := parseKnownHosts("f", line+"\n"+written+"\n", orSilent(nil))
		last := entries[len(entries)-1]
		if !last.matches(names[0]) || !last.is(key.Marshal()) {
			t.Fatalf("%q is not found in %q", host, written)
		}
		for _, e := range entries {
			if e.matchesAny(names) && !strings.Contains(e.names, "|") && strings.ContainsAny(e.names, " \t") {
				t.Fatalf("names with spaces: %q", e.names)
			}
		}
		q := hostQuery{host: host, names: names, entries: entries, shown: []proof{newProof(key, nil)}, now: time.Now()}
		var refused *HostKeyError
		if err := q.checkRevoked(); err != nil && (!errors.As(err, &refused) || !strings.Contains(line, "@revoked")) {
			t.Fatalf("revoked by %q: %v", line, err)
		}
		if _, ok, err := q.findAs(names[0]); !ok || err != nil {
			t.Fatalf("%q, after %q, is not known: %v", host, line, err)
		}
	})
}
