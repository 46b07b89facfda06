package identity

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
)

// checkHostCertificate checks a host's certificate of a known authority.
// The host is called name, in lower case and without a port.
func checkHostCertificate(cert *ssh.Certificate, name string, now time.Time) error {
	if cert.CertType != ssh.HostCert {
		return errors.New("it is not a host's certificate")
	}
	if !slices.Contains(cert.ValidPrincipals, name) {
		return fmt.Errorf("it does not name %s but %q", name, cert.ValidPrincipals)
	}
	return checkCertificate(cert, name, now)
}

// checkUserCertificate checks a user's certificate of an authority that the line of o names.
// It must name one of principals. It returns what is left to the user.
func checkUserCertificate(cert *ssh.Certificate, principals []string, from netip.Addr, now time.Time) (Permit, error) {
	if cert.CertType != ssh.UserCert {
		return Permit{}, errors.New("it is not a user's certificate")
	}
	i := slices.IndexFunc(cert.ValidPrincipals, func(p string) bool { return slices.Contains(principals, p) })
	if i < 0 {
		return Permit{}, fmt.Errorf("the certificate names %q, none of %q", cert.ValidPrincipals, principals)
	}
	if err := checkCertificate(cert, cert.ValidPrincipals[i], now, optForceCommand, optSourceAddress); err != nil {
		return Permit{}, err
	}
	if list, ok := cert.CriticalOptions[optSourceAddress]; ok {
		if in, err := inNetworks(list, from); err != nil || !in {
			return Permit{}, fmt.Errorf("the certificate is for %s only, not for %s", list, from)
		}
	}
	_, pty := cert.Extensions["permit-pty"]
	_, forwarding := cert.Extensions["permit-port-forwarding"]
	return Permit{Command: cert.CriticalOptions[optForceCommand], NoPTY: !pty, NoForwarding: !forwarding}, nil
}

// Critical options of user certificates that are obeyed.
const (
	optForceCommand  = "force-command"
	optSourceAddress = "source-address"
)

// checkCertificate checks what all certificates share: validity, critical
// options, the authority's signature. Principal is one that it names.
func checkCertificate(cert *ssh.Certificate, principal string, now time.Time, options ...string) error {
	if cert.Signature.Format == ssh.KeyAlgoRSA {
		return errors.New("its authority signed it with SHA-1")
	}
	checker := ssh.CertChecker{
		SupportedCriticalOptions: options,
		Clock:                    func() time.Time { return now },
	}
	return checker.CheckCert(principal, cert)
}

// both returns what two permits leave together. Two commands that differ
// cannot both be obeyed.
func (p Permit) both(q Permit) (Permit, error) {
	if p.Command != "" && q.Command != "" && p.Command != q.Command {
		return Permit{}, errors.New("the certificate and the line force different commands")
	}
	if p.Command == "" {
		p.Command = q.Command
	}
	p.NoPTY = p.NoPTY || q.NoPTY
	p.NoForwarding = p.NoForwarding || q.NoForwarding
	return p, nil
}
