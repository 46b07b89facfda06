package identity

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

type hostMarker string

const (
	markNone      hostMarker = ""
	markRevoked   hostMarker = "@revoked"
	markAuthority hostMarker = "@cert-authority"
)

// A hostEntry is a line of known_hosts.
type hostEntry struct {
	line   int
	marker hostMarker
	names  string // patterns with commas, or one hashed name
	blob   []byte // the key; parsed only when it is shown to somebody
}

// is reports whether the entry's key is blob; no key is nil.
func (e *hostEntry) is(blob []byte) bool { return blob != nil && bytes.Equal(e.blob, blob) }

// key returns the entry's key, nil if it is of a type that is not understood.
func (e *hostEntry) key() ssh.PublicKey {
	key, err := ssh.ParsePublicKey(e.blob)
	if err != nil {
		return nil
	}
	return key
}

func (e *hostEntry) matchesAny(names []string) bool {
	for _, n := range names {
		if e.matches(n) {
			return true
		}
	}
	return false
}

// matches reports whether the entry speaks of name, which is in lower case.
func (e *hostEntry) matches(name string) bool {
	if strings.HasPrefix(e.names, "|") {
		return matchHashed(e.names, name)
	}
	return matchList(lower(e.names), name) == matchYes
}

// matchHashed reports whether hashed, |1|salt|HMAC-SHA1(salt, name), is name's.
func matchHashed(hashed, name string) bool {
	salt, sum, ok := cutHash(hashed)
	if !ok {
		return false
	}
	h := hmac.New(sha1.New, salt)
	h.Write([]byte(name))
	return hmac.Equal(h.Sum(nil), sum)
}

func cutHash(hashed string) (salt, sum []byte, ok bool) {
	rest, ok := strings.CutPrefix(hashed, "|1|")
	if !ok {
		return nil, nil, false
	}
	a, b, ok := strings.Cut(rest, "|")
	if !ok {
		return nil, nil, false
	}
	salt, err1 := base64.StdEncoding.DecodeString(a)
	sum, err2 := base64.StdEncoding.DecodeString(b)
	return salt, sum, err1 == nil && err2 == nil && len(sum) == sha1.Size
}

// readKnownHosts reads a file; there are no entries if it is missing.
func readKnownHosts(name string, log *slog.Logger) ([]hostEntry, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := readAll(f)
	if err != nil {
		return nil, err
	}
	return parseKnownHosts(name, text, log), nil
}

func parseKnownHosts(name, text string, log *slog.Logger) []hostEntry {
	var entries []hostEntry
	n := 0
	for line := range strings.Lines(text) {
		n++
		e, err := parseHostLine(line)
		if err != nil {
			log.Warn("a line of known_hosts is skipped", "at", at(name, n), "err", err)
			continue
		}
		if e != nil {
			e.line = n
			entries = append(entries, *e)
		}
	}
	return entries
}

// parseHostLine parses a line; nil if it is empty or a comment.
func parseHostLine(line string) (*hostEntry, error) {
	fields := strings.Fields(line)
	if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
		return nil, nil
	}
	e := &hostEntry{}
	if strings.HasPrefix(fields[0], "@") {
		e.marker = hostMarker(fields[0])
		if e.marker != markRevoked && e.marker != markAuthority {
			return nil, fmt.Errorf("unknown marker %.32q", fields[0])
		}
		fields = fields[1:]
	}
	if len(fields) < 3 {
		return nil, errors.New("it is not names, key type and key")
	}
	e.names = fields[0]
	if _, _, ok := cutHash(e.names); !ok && strings.HasPrefix(e.names, "|") {
		return nil, errors.New("its hashed name is broken")
	}
	var err error
	e.blob, err = decodeKey(fields[1], fields[2])
	return e, err
}
