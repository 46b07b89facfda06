package identity

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// certify makes a certificate for key, signed by authority after change.
func certify(t *testing.T, authority, key ssh.Signer, change func(*ssh.Certificate)) ssh.Signer {
	t.Helper()
	cert := &ssh.Certificate{
		Key:         key.PublicKey(),
		CertType:    ssh.UserCert,
		KeyId:       "key id",
		ValidAfter:  uint64(time.Now().Add(-time.Minute).Unix()),
		ValidBefore: uint64(time.Now().Add(time.Hour).Unix()),
	}
	change(cert)
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func names(principals ...string) func(*ssh.Certificate) {
	return func(c *ssh.Certificate) { c.ValidPrincipals = principals }
}

// certifiedUser returns a world whose client shows a certificate and whose
// authorized_keys holds the authority's key after options.
func certifiedUser(t *testing.T, options string, change func(*ssh.Certificate)) *world {
	t.Helper()
	w := newWorld(t)
	authority := newKey(t)
	w.server.User = "alice"
	w.authorize(options, authority.PublicKey())
	w.client.Delegation = w.delegate(RoleClient, certify(t, authority, w.userKey, change))
	return w
}

func TestLetsInByUserCertificate(t *testing.T) {
	all := map[string]string{"permit-pty": "", "permit-port-forwarding": "", "permit-X11-forwarding": ""}
	for _, test := range []struct {
		name, options string
		change        func(*ssh.Certificate)
		permit        Permit
	}{
		{"that names the user", "cert-authority", func(c *ssh.Certificate) {
			c.ValidPrincipals, c.Extensions = []string{"bob", "alice"}, all
		}, Permit{}},
		{"without extensions", "cert-authority", names("alice"), Permit{NoPTY: true, NoForwarding: true}},
		{"for a principal of the line", `cert-authority,principals="dev,ops"`, names("ops"), Permit{NoPTY: true, NoForwarding: true}},
		{"on a restricted line", "cert-authority,no-pty", func(c *ssh.Certificate) {
			c.ValidPrincipals, c.Extensions = []string{"alice"}, all
		}, Permit{NoPTY: true}},
		{"that forces a command", "cert-authority", func(c *ssh.Certificate) {
			c.ValidPrincipals, c.Extensions = []string{"alice"}, all
			c.CriticalOptions = map[string]string{"force-command": "id"}
		}, Permit{Command: "id"}},
		{"that forces the line's command", `cert-authority,command="id"`, func(c *ssh.Certificate) {
			c.ValidPrincipals, c.Extensions = []string{"alice"}, all
			c.CriticalOptions = map[string]string{"force-command": "id"}
		}, Permit{Command: "id"}},
		{"on a line that forces a command", `cert-authority,command="id"`, func(c *ssh.Certificate) {
			c.ValidPrincipals, c.Extensions = []string{"alice"}, all
		}, Permit{Command: "id"}},
		{"for this address", "cert-authority", func(c *ssh.Certificate) {
			c.ValidPrincipals, c.Extensions = []string{"alice"}, all
			c.CriticalOptions = map[string]string{"source-address": "192.0.2.0/24,127.0.0.1"}
		}, Permit{}},
		{"for ever", "cert-authority", func(c *ssh.Certificate) {
			c.ValidPrincipals, c.Extensions = []string{"alice"}, all
			c.ValidAfter, c.ValidBefore = 0, ssh.CertTimeInfinity
		}, Permit{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := certifiedUser(t, test.options, test.change).meet()
			m.wantLetIn(t)
			if m.peer.Permit != test.permit || m.peer.Comment != "key id" {
				t.Errorf("let in as %+v, want permit %+v", m.peer, test.permit)
			}
		})
	}
}

func TestRefusesUserCertificate(t *testing.T) {
	critical := func(name, value string) func(*ssh.Certificate) {
		return func(c *ssh.Certificate) {
			c.ValidPrincipals = []string{"alice"}
			c.CriticalOptions = map[string]string{name: value}
		}
	}
	for _, test := range []struct {
		name, options string
		change        func(*ssh.Certificate)
		reason        string
	}{
		{"of another user", "cert-authority", names("bob"), "bob"},
		{"of nobody", "cert-authority", names(), "none of"},
		{"of the user, where the line wants others", `cert-authority,principals="dev"`, names("alice"), "dev"},
		{"of a host", "cert-authority", func(c *ssh.Certificate) {
			c.ValidPrincipals, c.CertType = []string{"alice"}, ssh.HostCert
		}, "not a user's"},
		{"expired", "cert-authority", func(c *ssh.Certificate) {
			c.ValidPrincipals, c.ValidBefore = []string{"alice"}, uint64(time.Now().Add(-time.Second).Unix())
		}, "expired"},
		{"not yet valid", "cert-authority", func(c *ssh.Certificate) {
			c.ValidPrincipals, c.ValidAfter = []string{"alice"}, uint64(time.Now().Add(time.Minute).Unix())
		}, "not yet valid"},
		{"for another address", "cert-authority", critical("source-address", "192.0.2.0/24"), "192.0.2.0/24"},
		{"for a broken address", "cert-authority", critical("source-address", "127.0.0.1/8"), "127.0.0.1/8"},
		{"with an unknown critical option", "cert-authority", critical("verify-required", ""), "verify-required"},
		{"with another command than the line", `cert-authority,command="id"`, critical("force-command", "sh"), "different commands"},
		{"of an authority that is none", "", names("alice"), "none of the keys"},
		{"on a line with an unknown option", "cert-authority,soup", names("alice"), "soup"},
		{"from elsewhere", `cert-authority,from="192.0.2.1"`, names("alice"), "not from"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := certifiedUser(t, test.options, test.change).meet()
			m.wantTurnedAway(t, ErrNotAuthorized)
			if !strings.Contains(m.serverErr.Error(), test.reason) {
				t.Errorf("server: %v, want it to say %q", m.serverErr, test.reason)
			}
		})
	}
}

func TestRefusesCertificateThatItsAuthorityDidNotSign(t *testing.T) {
	w := newWorld(t)
	w.server.User = "alice"
	authority := newKey(t)
	w.authorize("cert-authority", authority.PublicKey())
	s := certify(t, authority, w.userKey, names("bob"))
	s.PublicKey().(*ssh.Certificate).ValidPrincipals = []string{"alice"}
	w.client.Delegation = w.delegate(RoleClient, s)
	w.meet().wantTurnedAway(t, ErrNotAuthorized)
}

// A certificate is public. Who does not have its key must not get in by it.
func TestRefusesCertificateOfSomebodyElsesKey(t *testing.T) {
	w := newWorld(t)
	w.server.User = "alice"
	authority := newKey(t)
	w.authorize("cert-authority", authority.PublicKey())
	cert := certify(t, authority, newKey(t), names("alice")).PublicKey()
	w.client.Delegation = w.forge(RoleClient, w.userKey, false, func(c *claim) {
		c.proofs[0] = newProof(cert, c.proofs[0].sig)
	})
	w.meet().wantTurnedAway(t, ErrSignature)
}

func TestRefusesAuthorityThatSignsWithSHA1(t *testing.T) {
	authority, err := ssh.NewSignerWithAlgorithms(signerOf(t, rsaKey(t)).(ssh.AlgorithmSigner), []string{ssh.KeyAlgoRSA})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.server.User = "alice"
	w.authorize("cert-authority", authority.PublicKey())
	w.client.Delegation = w.delegate(RoleClient, certify(t, authority, w.userKey, names("alice")))
	m := w.meet()
	m.wantTurnedAway(t, ErrNotAuthorized)
	if !strings.Contains(m.serverErr.Error(), "SHA-1") {
		t.Errorf("server: %v", m.serverErr)
	}
}

// A line that calls a key an authority says nothing of certificates for that key.
func TestAuthorityIsWhoSignedNotWhoIsCertified(t *testing.T) {
	w := newWorld(t)
	w.server.User = "alice"
	w.authorize("cert-authority", w.userKey.PublicKey())
	w.client.Delegation = w.delegate(RoleClient, certify(t, newKey(t), w.userKey, names("alice")), w.userKey)
	w.meet().wantTurnedAway(t, ErrNotAuthorized)
}

func TestPlainKeyOfACertificateLetsNobodyInByIt(t *testing.T) {
	w := newWorld(t)
	w.server.User = "alice"
	w.client.Delegation = w.delegate(RoleClient, certify(t, newKey(t), w.userKey, names("alice")))
	w.meet().wantTurnedAway(t, ErrNotAuthorized) // as with sshd: the plain key must be shown
	w.client.Delegation = w.delegate(RoleClient, certify(t, newKey(t), w.userKey, names("alice")), w.userKey)
	w.meet().wantLetIn(t)
}

// certifiedHost returns a world whose server shows a certificate of an authority that
// known_hosts has for hosts.
func certifiedHost(t *testing.T, hosts string, change func(*ssh.Certificate)) *world {
	t.Helper()
	w := newWorld(t)
	authority := newKey(t)
	w.write("known_hosts", "@cert-authority "+hosts+" "+keyText(authority.PublicKey())+"\n")
	s := certify(t, authority, w.hostKey, func(c *ssh.Certificate) {
		c.CertType = ssh.HostCert
		change(c)
	})
	w.server.HostKeys = []ssh.Signer{s}
	return w
}

func TestKnowsHostByCertificate(t *testing.T) {
	for _, hosts := range []string{"shed", "[shed]:7373", "*", "desk,sh*", "[SHED]:7373"} {
		m := certifiedHost(t, hosts, names("desk", "shed")).meet()
		m.wantLetIn(t)
		if _, ok := m.host.Key.(*ssh.Certificate); !ok {
			t.Errorf("%s: known by %T", hosts, m.host.Key)
		}
	}
}

func TestRefusesHostCertificate(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*ssh.Certificate)
	}{
		{"of another host", names("desk")},
		{"of no host", names()},
		{"of a user", func(c *ssh.Certificate) { c.ValidPrincipals, c.CertType = []string{"shed"}, ssh.UserCert }},
		{"expired", func(c *ssh.Certificate) {
			c.ValidPrincipals, c.ValidBefore = []string{"shed"}, uint64(time.Now().Add(-time.Second).Unix())
		}},
		{"with a critical option", func(c *ssh.Certificate) {
			c.ValidPrincipals, c.CriticalOptions = []string{"shed"}, map[string]string{"soup": ""}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := certifiedHost(t, "*", test.change)
			w.client.KnownHosts.AcceptNew = true // which must not help
			e := w.wantHostKeyProblem(HostKeyBadCertificate, 1)
			if e.Err == nil || errors.Unwrap(e) != e.Err {
				t.Errorf("no reason given: %v", e)
			}
		})
	}
}

func TestRevokedAuthorityRefuses(t *testing.T) {
	w := certifiedHost(t, "*", names("shed"))
	w.write("known_hosts", w.read("known_hosts")+strings.Replace(w.read("known_hosts"), "@cert-authority", "@revoked", 1))
	w.wantHostKeyProblem(HostKeyRevoked, 2)
}

func TestHostWithCertificateIsKnownByItsPlainKeyToo(t *testing.T) {
	w := certifiedHost(t, "desk", names("shed"))
	w.know(worldHost, w.hostKey.PublicKey())
	w.meet().wantLetIn(t)
	w.write("known_hosts", "")
	w.client.KnownHosts.AcceptNew = true
	w.meet().wantLetIn(t)
	if want := "[shed]:7373 " + keyText(w.hostKey.PublicKey()) + "\n"; w.read("known_hosts") != want {
		t.Errorf("known_hosts is %q, want %q", w.read("known_hosts"), want)
	}
}
