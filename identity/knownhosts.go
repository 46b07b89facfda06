package identity

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"
)

// KnownHosts is a known_hosts file as ssh(1) and ssh-keygen(1) write it: hashed
// names, patterns, [host]:port, @revoked and @cert-authority. It is read
// anew for each question. The zero value is ~/.ssh/known_hosts.
type KnownHosts struct {
	// File is its name. If empty, ~/.ssh/known_hosts. If there is no such
	// file, no host is known.
	File string

	// AcceptNew lets in a host of which nothing is known and writes its key
	// down. A host that is known by another key is refused all the same.
	AcceptNew bool

	// Log hears of lines that are not understood. If nil, nothing is logged.
	Log *slog.Logger
}

// HostKeyProblem is why a host's key was refused.
type HostKeyProblem int

const (
	HostKeyUnknown        HostKeyProblem = iota // nothing is known of this host
	HostKeyChanged                              // it is known by another key
	HostKeyRevoked                              // the key is marked @revoked
	HostKeyBadCertificate                       // a known authority signed its certificate, which does not hold
)

// A HostKeyError says that a host's key was refused.
type HostKeyError struct {
	Problem HostKeyProblem
	Host    string          // as it was asked for, name:port
	Got     ssh.PublicKey   // the key that it showed
	Want    []ssh.PublicKey // what it is known by, if it changed
	Entry   string          // the name under which File knows it, if it changed: [host]:port or host
	File    string          // the known_hosts file
	Line    int             // the first line there that speaks against Got; 0 if none does
	Err     error           // what is wrong with its certificate
}

func (e *HostKeyError) Error() string {
	key := describe(e.Got)
	switch e.Problem {
	case HostKeyChanged:
		return fmt.Sprintf("the key of %s is %s, but %s knows another one for %s", e.Host, key, at(e.File, e.Line), e.Entry)
	case HostKeyRevoked:
		return fmt.Sprintf("the key of %s, %s, is revoked by %s", e.Host, key, at(e.File, e.Line))
	case HostKeyBadCertificate:
		return fmt.Sprintf("the certificate of %s, %s: %v", e.Host, key, e.Err)
	default:
		return fmt.Sprintf("the key of %s, %s, is not known in %s", e.Host, key, e.File)
	}
}

func (e *HostKeyError) Unwrap() error { return e.Err }

// HostLine returns the line, without its end, by which known_hosts
// knows host (name:port) by key.
func HostLine(host string, key ssh.PublicKey) (string, error) {
	names, err := hostNames(host)
	if err != nil {
		return "", err
	}
	key = plainKey(key)
	return names[0] + " " + key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal()), nil
}

// hostNames returns the names under which known_hosts may know host
// (name:port): [name]:port, then name. Names are in lower case, as ssh writes them.
func hostNames(host string) ([]string, error) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return nil, fmt.Errorf("%q is not a name and a port", host)
	}
	if !isHostName(name) || !isPort(port) {
		return nil, fmt.Errorf("%q is not a name and a port", host)
	}
	name = lower(name)
	if port == "22" {
		return []string{name}, nil
	}
	return []string{"[" + name + "]:" + port, name}, nil
}

// isHostName reports whether name can stand in known_hosts as a name and as nothing else.
func isHostName(name string) bool {
	strange := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(",*?!|@#[]", r)
	}
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, strange)
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// A verdict is what known_hosts says of a host's keys.
type verdict struct {
	proof   proof // the one whose key is good
	unknown bool  // it is taken because AcceptNew is set
}

// find returns the first of the proofs that host showed whose key is known to be its
// own. Whether the proof is true is not looked at.
//
// The entries for [host]:port are asked, then those for host. Unlike ssh(1), which asks for a
// key it knows the type of, landline is shown all keys at once: if there are entries and none fits,
// the host has changed.
func (k *KnownHosts) find(host string, shown []proof, now time.Time) (verdict, error) {
	names, err := hostNames(host)
	if err != nil {
		return verdict{}, err
	}
	file, err := k.file()
	if err != nil {
		return verdict{}, err
	}
	entries, err := readKnownHosts(file, orSilent(k.Log))
	if err != nil {
		return verdict{}, err
	}
	q := hostQuery{host: host, file: file, names: names, entries: entries, shown: shown, now: now}
	if err := q.checkRevoked(); err != nil {
		return verdict{}, err
	}
	for _, name := range names {
		if v, ok, err := q.findAs(name); ok || err != nil {
			return v, err
		}
	}
	if !k.AcceptNew || q.badCertificate != nil {
		return verdict{}, q.refusal(HostKeyUnknown)
	}
	return verdict{proof: shown[0], unknown: true}, nil
}

func (k *KnownHosts) file() (string, error) {
	if k.File != "" {
		return k.File, nil
	}
	return inSSHFolder("known_hosts")
}

// A hostQuery asks whether one of keys belongs to host.
type hostQuery struct {
	host, file string
	names      []string
	entries    []hostEntry
	shown      []proof
	now        time.Time

	badCertificate *HostKeyError // a certificate of a known authority that does not hold
}

// checkRevoked refuses the host if it shows a key that is revoked, or a
// certificate of an authority that is.
func (q *hostQuery) checkRevoked() error {
	for _, e := range q.entries {
		if e.marker != markRevoked || !e.matchesAny(q.names) {
			continue
		}
		for _, p := range q.shown {
			if e.is(p.plain) || e.is(p.authority) {
				return &HostKeyError{Problem: HostKeyRevoked, Host: q.host, Got: p.key, File: q.file, Line: e.line}
			}
		}
	}
	return nil
}

// findAs looks for the host's keys under name.
func (q *hostQuery) findAs(name string) (v verdict, ok bool, err error) {
	var others []hostEntry
	for _, e := range q.entries {
		if e.marker == markRevoked || !e.matches(name) {
			continue
		}
		for _, p := range q.shown {
			if q.vouches(e, p) {
				return verdict{proof: p}, true, nil
			}
		}
		if e.marker == markNone {
			others = append(others, e)
		}
	}
	if len(others) == 0 {
		return verdict{}, false, nil
	}
	refusal := q.refusal(HostKeyChanged)
	if refusal.Problem == HostKeyChanged {
		refusal.Entry, refusal.Line = name, others[0].line
		for _, e := range others {
			if key := e.key(); key != nil {
				refusal.Want = append(refusal.Want, key)
			}
		}
	}
	return verdict{}, false, refusal
}

// vouches reports whether e, which speaks of the host, vouches for p's key.
func (q *hostQuery) vouches(e hostEntry, p proof) bool {
	if e.marker == markNone {
		return e.is(p.plain)
	}
	if !e.is(p.authority) {
		return false
	}
	name := q.names[len(q.names)-1]
	if err := checkHostCertificate(p.key.(*ssh.Certificate), name, q.now); err != nil {
		q.badCertificate = &HostKeyError{
			Problem: HostKeyBadCertificate, Host: q.host, Got: p.key, File: q.file, Line: e.line, Err: err,
		}
		return false
	}
	return true
}

// refusal returns the error to refuse the host with: problem, unless a
// certificate of a known authority says more.
func (q *hostQuery) refusal(problem HostKeyProblem) *HostKeyError {
	if q.badCertificate != nil {
		return q.badCertificate
	}
	return &HostKeyError{Problem: problem, Host: q.host, Got: q.shown[0].key, File: q.file}
}
