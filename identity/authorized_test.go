package identity

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"log/slog"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestParsesLinesOfAuthorizedKeys(t *testing.T) {
	key := keyText(newKey(t).PublicKey())
	for _, test := range []struct {
		line, options, comment string
	}{
		{key, "", ""},
		{key + " me@here", "", "me@here"},
		{"  \t" + key + "\tme at  home \r\n", "", "me at  home"},
		{"restrict " + key + " x", "restrict", "x"},
		{"restrict,pty\t" + key, "restrict,pty", ""},
		{`command="echo a b",no-pty ` + key + " x", `command="echo a b",no-pty`, "x"},
		{`command="say \"a b\" c" ` + key, `command="say \"a b\" c"`, ""},
		{`command="ssh-ed25519 AAAA" ` + key, `command="ssh-ed25519 AAAA"`, ""},
	} {
		e, err := parseAuthorizedLine(test.line)
		if err != nil {
			t.Errorf("%q: %v", test.line, err)
			continue
		}
		if e.options != test.options || e.comment != test.comment || !strings.Contains(key, " ") {
			t.Errorf("%q: options %q, comment %q", test.line, e.options, e.comment)
		}
		if got := keyText(mustParse(t, e.blob)); got != key {
			t.Errorf("%q: key %s", test.line, got)
		}
	}
	for _, line := range []string{"", "\r\n", "  ", "# " + key, "\t#"} {
		if e, err := parseAuthorizedLine(line); e != nil || err != nil {
			t.Errorf("%q: %v, %v; want nothing", line, e, err)
		}
	}
	typ, text, _ := strings.Cut(key, " ")
	for _, line := range []string{
		typ, typ + " ", text, typ + " AAAA", typ + " !" + text, "ssh-rsa " + text, "restrict", "restrict  ",
		`command="a ` + key, "restrict restrict " + key,
	} {
		if e, err := parseAuthorizedLine(line); err == nil {
			t.Errorf("%q: %+v; want an error", line, e)
		}
	}
}

func mustParse(t *testing.T, blob []byte) ssh.PublicKey {
	t.Helper()
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSkipsBadLinesAndReportsWhere(t *testing.T) {
	w := newWorld(t)
	w.authorize("", w.userKey.PublicKey())
	w.write("authorized_keys", "# mine\nssh-ed25519 garbage\n\n"+w.read("authorized_keys"))
	var log bytes.Buffer
	w.server.Log = slog.New(slog.NewTextHandler(&log, nil))
	m := w.meet()
	m.wantLetIn(t)
	if m.peer.Line != 4 {
		t.Errorf("let in by line %d, want 4", m.peer.Line)
	}
	if want := w.path("authorized_keys") + ":2"; !strings.Contains(log.String(), want) {
		t.Errorf("the log does not name %s:\n%s", want, &log)
	}
}

func TestParsesOptions(t *testing.T) {
	text := func(s string) *string { return &s }
	for _, test := range []struct {
		in   string
		want options
	}{
		{"", options{}},
		{"restrict", options{permit: Permit{NoPTY: true, NoForwarding: true}}},
		{"RESTRICT,PTY", options{permit: Permit{NoForwarding: true}}},
		{"restrict,port-forwarding", options{permit: Permit{NoPTY: true}}},
		{"pty,restrict", options{permit: Permit{NoPTY: true, NoForwarding: true}}},
		{"no-pty", options{permit: Permit{NoPTY: true}}},
		{"no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-user-rc", options{permit: Permit{NoForwarding: true}}},
		{`command="a \"b\", c\d"`, options{permit: Permit{Command: `a "b", c\d`}}},
		{`command="a",restrict`, options{permit: Permit{Command: "a", NoPTY: true, NoForwarding: true}}},
		{`from="1.2.3.4,!5.6.*"`, options{from: text("1.2.3.4,!5.6.*")}},
		{`from=""`, options{from: text("")}},
		{`cert-authority,principals="a,b"`, options{authority: true, principals: []string{"a", "b"}}},
		{`principals="",cert-authority`, options{authority: true, principals: []string{""}}},
		{`expiry-time="20300102Z"`, options{expiry: time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)}},
		{`expiry-time="20300102Z",expiry-time="20290102Z",expiry-time="20310102Z"`,
			options{expiry: time.Date(2029, 1, 2, 0, 0, 0, 0, time.UTC)}},
	} {
		got, err := parseOptions(test.in)
		if err != nil {
			t.Errorf("%s: %v", test.in, err)
			continue
		}
		sameFrom := (got.from == nil) == (test.want.from == nil) && (got.from == nil || *got.from == *test.want.from)
		if got.authority != test.want.authority || !slices.Equal(got.principals, test.want.principals) || !sameFrom ||
			!got.expiry.Equal(test.want.expiry) || got.permit != test.want.permit {
			t.Errorf("%s: %+v, want %+v", test.in, got, test.want)
		}
	}
}

func TestRefusesOptionsItCannotObey(t *testing.T) {
	for _, in := range []string{
		"soup", `environment="A=b"`, `permitopen="a:1"`, `permitlisten="1"`, `tunnel="0"`, "verify-required",
		"no-touch-required", "user-rc", "x11-forwarding", "agent-forwarding", "no-restrict", "no-cert-authority",
		"command", "command=", "command=a", `command=""`, `command="a`, `command="a"b`, `command="a" `, `command="a",`,
		`command="a",command="b"`, `from="a",from="b"`, `cert-authority,principals="a",principals="b"`, `principals="a"`,
		`restrict="yes"`, `pty="x"`, "restrict,", ",restrict", "restrict,,pty", `"restrict"`, `restrict"`,
		`expiry-time=""`, `expiry-time="2030"`, `expiry-time="20301302"`, `expiry-time="203001021"`, `expiry-time="20300102UTCZ"`,
	} {
		if o, err := parseOptions(in); err == nil {
			t.Errorf("%s: %+v; want an error", in, o)
		}
	}
}

func TestReadsExpiryInLocalTimeUnlessUTCIsSaid(t *testing.T) {
	zone := time.Local
	time.Local = time.FixedZone("test", 3*3600)
	defer func() { time.Local = zone }()
	for in, want := range map[string]string{
		"20300102":          "2030-01-01T21:00:00Z",
		"203001020304":      "2030-01-02T00:04:00Z",
		"20300102030405":    "2030-01-02T00:04:05Z",
		"20300102Z":         "2030-01-02T00:00:00Z",
		"203001020304Z":     "2030-01-02T03:04:00Z",
		"20300102030405z":   "2030-01-02T03:04:05Z",
		"20300102030405UTC": "2030-01-02T03:04:05Z",
		"20280229235959Z":   "2028-02-29T23:59:59Z",
		"99991231235959Z":   "9999-12-31T23:59:59Z",
	} {
		if got, err := parseExpiry(in); err != nil || stamp(got) != want {
			t.Errorf("%s: %v, %v; want %s", in, stamp(got), err, want)
		}
	}
}

func TestExpiredLineRefuses(t *testing.T) {
	w := newWorld(t)
	w.now = w.now.Add(time.Second).Truncate(time.Second)
	at := func(d time.Duration) string {
		return `expiry-time="` + w.now.Add(d).UTC().Format("20060102150405") + `Z"`
	}
	w.authorize(at(2*time.Second), w.userKey.PublicKey())
	w.meet().wantLetIn(t)
	w.authorize(at(0), w.userKey.PublicKey())
	w.meet().wantTurnedAway(t, ErrNotAuthorized)
}

func TestMatchesAddresses(t *testing.T) {
	for _, test := range []struct {
		list, addr string
		want       match
	}{
		{"1.2.3.4", "1.2.3.4", matchYes},
		{"1.2.3.4", "1.2.3.5", matchNo},
		{"1.2.3.*", "1.2.3.5", matchYes},
		{"1.2.3.?", "1.2.3.55", matchNo},
		{"*", "1.2.3.4", matchYes},
		{"*", "fe80::1", matchYes},
		{"10.0.0.0/8,192.168.0.0/16", "192.168.3.4", matchYes},
		{"10.0.0.0/8", "11.0.0.1", matchNo},
		{"2001:db8::/32", "2001:db8:1::2", matchYes},
		{"2001:db8::/32", "10.0.0.1", matchNo},
		{"2001:0DB8::0001", "2001:db8::1", matchYes},
		{"::ffff:1.2.3.4", "1.2.3.4", matchYes},
		{"*,!10.0.0.0/8", "10.1.1.1", matchNegated},
		{"!10.0.0.0/8,*", "10.1.1.1", matchNegated},
		{"!10.0.0.0/8,*", "11.1.1.1", matchYes},
		{"!10.0.0.0/8", "11.1.1.1", matchNo},
		{"!1.2.3.4,1.2.3.4", "1.2.3.4", matchNegated},
		{"shed.example.com", "1.2.3.4", matchNo},
		{"", "1.2.3.4", matchNo},
		{"!", "1.2.3.4", matchNo},
		{" 1.2.3.4 , 5.6.7.8", "5.6.7.8", matchYes},
		{"*", "", matchNo},
		{"0.0.0.0/0", "", matchNo},
	} {
		addr, _ := netip.ParseAddr(test.addr)
		if got, err := matchAddresses(test.list, addr); err != nil || got != test.want {
			t.Errorf("%q, %s: %v, %v; want %v", test.list, test.addr, got, err, test.want)
		}
	}
	for _, list := range []string{"10.0.0.1/8", "1.2.3.4/33", "a/8", "/", "1.2.3.4/", "1.2.3.4,!10.0.0.1/8"} {
		if m, err := matchAddresses(list, netip.MustParseAddr("1.2.3.4")); err == nil {
			t.Errorf("%q: %v; want an error", list, m)
		}
	}
}

func TestGlobMatches(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"**", "abc", true}, {"?", "", false}, {"a?c", "abc", true},
		{"*.lan", "shed.lan", true}, {"*.lan", "shed.lan.", false}, {"*a*b*", "xxaxxbxx", true}, {"*a*b", "xaxbx", false},
		{"[*.lan]:7373", "[shed.lan]:7373", true}, {"[*.lan]:7373", "[shed.lan]:22", false},
		{strings.Repeat("*a", 40), strings.Repeat("a", 5000) + "b", false},
	} {
		if got := glob(test.pattern, test.name); got != test.want {
			t.Errorf("glob(%q, %.20q) = %v", test.pattern, test.name, got)
		}
	}
}

func TestLaterLineMayLetInWhatAnEarlierOneDoesNot(t *testing.T) {
	w := newWorld(t)
	key := keyText(w.userKey.PublicKey())
	w.write("authorized_keys", "soup "+key+"\nfrom=\"192.0.2.1\" "+key+"\ncert-authority "+key+"\nno-pty "+key+" last\n")
	m := w.meet()
	m.wantLetIn(t)
	if m.peer.Line != 4 || m.peer.Permit != (Permit{NoPTY: true}) {
		t.Errorf("let in as %+v", m.peer)
	}
}

func TestPermitHoldsTheForcedCommand(t *testing.T) {
	w := newWorld(t)
	w.authorize(`restrict,command="uptime -p"`, w.userKey.PublicKey())
	m := w.meet()
	m.wantLetIn(t)
	if want := (Permit{Command: "uptime -p", NoPTY: true, NoForwarding: true}); m.peer.Permit != want {
		t.Errorf("permit %+v, want %+v", m.peer.Permit, want)
	}
}

func TestRefusesAuthorizedKeysThatOthersMayWrite(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are not checked on Windows")
	}
	for _, test := range []struct {
		path string
		mode os.FileMode
		ok   bool
	}{
		{".ssh/authorized_keys", 0o644, true},
		{".ssh/authorized_keys", 0o620, false},
		{".ssh/authorized_keys", 0o602, false},
		{".ssh", 0o755, true},
		{".ssh", 0o770, false},
		{".ssh", 0o707, false},
		{".", 0o755, true},
		{".", 0o775, false},
		{".", 0o1777, os.Geteuid() == 0}, // sticky, and root's: what is below cannot be replaced
	} {
		w := newWorld(t)
		if err := os.Chmod(filepath.Join(w.home, test.path), test.mode.Perm()|sticky(test.mode)); err != nil {
			t.Fatal(err)
		}
		m := w.meet()
		if test.ok {
			m.wantLetIn(t)
		} else {
			m.wantTurnedAway(t, ErrNotAuthorized)
		}
	}
}

func sticky(m os.FileMode) os.FileMode {
	if m&0o1000 != 0 {
		return os.ModeSticky
	}
	return 0
}

func TestRefusesAuthorizedKeysOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	for _, path := range []string{".ssh/authorized_keys", ".ssh", "."} {
		w := newWorld(t)
		if err := os.Chown(filepath.Join(w.home, path), 12345, -1); err != nil {
			t.Fatal(err)
		}
		w.meet().wantTurnedAway(t, ErrNotAuthorized)
	}
}

func TestFollowsLinksToWhereTheyLeadBeforeCheckingOwners(t *testing.T) {
	w := newWorld(t)
	open := filepath.Join(w.home, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(open, "keys")
	if err := os.Rename(w.path("authorized_keys"), elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, w.path("authorized_keys")); err != nil {
		t.Fatal(err)
	}
	w.meet().wantLetIn(t)
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	w.meet().wantTurnedAway(t, ErrNotAuthorized)
}

func TestRefusesEverybodyIfAuthorizedKeysIsMissingOrNoFile(t *testing.T) {
	w := newWorld(t)
	if err := os.Remove(w.path("authorized_keys")); err != nil {
		t.Fatal(err)
	}
	w.meet().wantTurnedAway(t, os.ErrNotExist)
	w.meet().wantTurnedAway(t, ErrNotAuthorized)
	if err := os.Mkdir(w.path("authorized_keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	m := w.meet()
	m.wantTurnedAway(t, ErrNotAuthorized)
	if runtime.GOOS != "windows" && !strings.Contains(m.serverErr.Error(), "not a regular file") {
		t.Errorf("server: %v", m.serverErr)
	}
}

// As with sshd, what lies above the user's home is not the user's to answer for.
func TestChecksFoldersOnlyUpToHome(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are not checked on Windows")
	}
	w := newWorld(t)
	inner := filepath.Join(w.home, "home")
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(w.home, ".ssh"), filepath.Join(inner, ".ssh")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(w.home, 0o777); err != nil {
		t.Fatal(err)
	}
	w.server.AuthorizedKeys = filepath.Join(inner, ".ssh", "authorized_keys")
	w.client.KnownHosts.File = filepath.Join(inner, ".ssh", "known_hosts")
	w.meet().wantTurnedAway(t, ErrNotAuthorized)
	t.Setenv("HOME", inner)
	w.meet().wantLetIn(t)
}

func TestAcceptsOnlyStrongKeys(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	s := signerOf(t, weak)
	if err := checkKey(s.PublicKey()); err == nil {
		t.Error("RSA of 1024 bits is accepted")
	}
	if _, err := Delegate(RoleClient, []ssh.Signer{s}, 0, time.Now()); err == nil || !strings.Contains(err.Error(), "1024") {
		t.Errorf("delegating with RSA of 1024 bits: %v", err)
	}
	huge, err := ssh.NewPublicKey(&rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), maxRSA, 1), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	if err := checkKey(huge); err == nil {
		t.Errorf("RSA of %d bits is accepted", maxRSA+1)
	}
	// A peer that shows one all the same is not looked up by it.
	c := &claim{proofs: []proof{newProof(s.PublicKey(), nil)}, role: RoleClient}
	if err := new(claim).parseExtension(c.appendExtension(nil)); err == nil {
		t.Error("a proof of a weak key was taken")
	}
}
