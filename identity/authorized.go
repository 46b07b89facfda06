package identity

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// An authorizedEntry is a line of authorized_keys.
type authorizedEntry struct {
	line    int
	options string // as they stand there; parsed when the key is met
	blob    []byte // the key
	comment string
}

// readAuthorizedKeys reads a file after checking who else could have written to it.
func readAuthorizedKeys(name string, log *slog.Logger) ([]authorizedEntry, error) {
	f, err := openStrict(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotAuthorized, err)
	}
	defer f.Close()
	text, err := readAll(f)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotAuthorized, err)
	}
	return parseAuthorizedKeys(name, text, log), nil
}

func parseAuthorizedKeys(name, text string, log *slog.Logger) []authorizedEntry {
	var entries []authorizedEntry
	n := 0
	for line := range strings.Lines(text) {
		n++
		e, err := parseAuthorizedLine(line)
		if err != nil {
			log.Warn("a line of authorized_keys is skipped", "at", at(name, n), "err", err)
			continue
		}
		if e != nil {
			e.line = n
			entries = append(entries, *e)
		}
	}
	return entries
}

// parseAuthorizedLine parses a line; nil if it is empty or a comment.
func parseAuthorizedLine(line string) (*authorizedEntry, error) {
	line = strings.Trim(line, " \t\r\n")
	if line == "" || line[0] == '#' {
		return nil, nil
	}
	e := &authorizedEntry{}
	if e.parseKey(line) == nil {
		return e, nil
	}
	n, err := optionsEnd(line)
	if err != nil {
		return nil, err
	}
	e.options = line[:n]
	if err := e.parseKey(strings.TrimLeft(line[n:], " \t")); err != nil {
		return nil, err
	}
	return e, nil
}

// parseKey parses type, base64 and comment.
func (e *authorizedEntry) parseKey(s string) (err error) {
	typ, s := cutField(s)
	text, comment := cutField(s)
	if text == "" {
		return errors.New("it holds no key")
	}
	e.comment = comment
	e.blob, err = decodeKey(typ, text)
	return err
}

// An authorizer chooses the key of a peer's that is let in.
type authorizer struct {
	file    string
	entries []authorizedEntry
	from    netip.Addr // invalid if the peer has no IP address
	now     time.Time
	user    func() (string, error) // whom a certificate must name
	log     *slog.Logger
}

// choose returns the first of c's proofs that some line lets in, by that line. A line
// that has the key but whose options do not let it in is as good as no line: others may.
func (a *authorizer) choose(c *claim) (Peer, error) {
	var reasons []error
	for _, p := range c.proofs {
		for i := range a.entries {
			e := &a.entries[i]
			if !bytes.Equal(e.blob, p.plain) && !bytes.Equal(e.blob, p.authority) {
				continue
			}
			peer, err := a.admit(e, c, p)
			if err == nil {
				return peer, nil
			}
			if errors.Is(err, errOtherKind) {
				continue
			}
			a.log.Info("a key is refused", "key", describe(p.key), "at", at(a.file, e.line), "err", err)
			reasons = append(reasons, fmt.Errorf("%s: %s: %w", at(a.file, e.line), describe(p.key), err))
		}
	}
	if len(reasons) == 0 {
		return Peer{}, fmt.Errorf("%w: %s", ErrNotAuthorized, a.unknown(c))
	}
	return Peer{}, fmt.Errorf("%w: %w", ErrNotAuthorized, errors.Join(reasons...))
}

// errOtherKind says that a line and a key only look alike: one is an
// authority's, the other shown as a key, or the reverse.
var errOtherKind = errors.New("the line is not for such a key")

// admit lets p in by the line e, or says why not.
func (a *authorizer) admit(e *authorizedEntry, c *claim, p proof) (Peer, error) {
	o, err := parseOptions(e.options)
	if err != nil {
		return Peer{}, err
	}
	cert, isCert := p.key.(*ssh.Certificate)
	if o.authority != isCert {
		return Peer{}, errOtherKind
	}
	if o.authority != bytes.Equal(e.blob, p.authority) {
		return Peer{}, errOtherKind
	}
	if err := o.check(a.from, a.now); err != nil {
		return Peer{}, err
	}
	peer := Peer{
		Key: p.key, Fingerprint: ssh.FingerprintSHA256(plainKey(p.key)),
		Comment: e.comment, Line: e.line, Permit: o.permit,
	}
	if isCert {
		peer.Comment = cert.KeyId
		if peer.Permit, err = a.admitCertificate(cert, o); err != nil {
			return Peer{}, err
		}
	}
	// Last, because it costs the most.
	return peer, c.verify(p)
}

// admitCertificate checks a certificate of the authority whose options are o.
func (a *authorizer) admitCertificate(cert *ssh.Certificate, o options) (Permit, error) {
	principals := o.principals
	if principals == nil {
		user, err := a.user()
		if err != nil {
			return Permit{}, err
		}
		principals = []string{user}
	}
	permit, err := checkUserCertificate(cert, principals, a.from, a.now)
	if err != nil {
		return Permit{}, err
	}
	return o.permit.both(permit)
}

// unknown says that none of c's keys is in the file.
func (a *authorizer) unknown(c *claim) string {
	names := make([]string, len(c.proofs))
	for i, p := range c.proofs {
		names[i] = describe(p.key)
	}
	return fmt.Sprintf("%s has none of the keys %s", a.file, strings.Join(names, ", "))
}
