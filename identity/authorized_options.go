package identity

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// options are the options before a key in authorized_keys.
type options struct {
	authority  bool      // cert-authority
	principals []string  // nil if not given
	from       *string   // nil if not given
	expiry     time.Time // zero if not given
	permit     Permit
}

// optionsEnd returns where the options at the front of line end: at the
// first space or tab outside of quotes.
func optionsEnd(line string) (int, error) {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line) && line[i+1] == '"':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t'):
			return i, nil
		}
	}
	if quoted {
		return 0, errors.New("a quote is not closed")
	}
	return len(line), nil
}

// parseOptions parses all options before a key. One that is not obeyed is an error,
// whatever it says: to let the key in without it could give more than was meant.
func parseOptions(s string) (options, error) {
	var o options
	for s != "" {
		name, value, rest, err := cutOption(s)
		if err != nil {
			return options{}, err
		}
		if err := o.set(strings.ToLower(name), value); err != nil {
			return options{}, err
		}
		s = rest
	}
	if o.principals != nil && !o.authority {
		return options{}, errors.New("principals without cert-authority")
	}
	return o, nil
}

// cutOption cuts one option and the comma after it from s. The value is nil if
// the option has none.
func cutOption(s string) (name string, value *string, rest string, err error) {
	i := strings.IndexAny(s, `=,"`)
	if i < 0 {
		return s, nil, "", nil
	}
	name, rest = s[:i], s[i+1:]
	switch s[i] {
	case ',':
		if rest == "" {
			return "", nil, "", errors.New("a comma without an option after it")
		}
		return name, nil, rest, nil
	case '"':
		return "", nil, "", errors.New("a quote where none is due")
	}
	v, rest, err := cutQuoted(rest)
	if err != nil {
		return "", nil, "", fmt.Errorf("option %.40q: %w", name, err)
	}
	after, comma := strings.CutPrefix(rest, ",")
	if comma != (rest != "") || comma && after == "" {
		return "", nil, "", fmt.Errorf("option %.40q: no comma and option after it", name)
	}
	return name, &v, after, nil
}

// cutQuoted cuts a quoted string from the front of s. In it, \" is a quote and any other
// backslash is itself, as sshd(8) has it.
func cutQuoted(s string) (value, rest string, err error) {
	if s == "" || s[0] != '"' {
		return "", "", errors.New("its value is not quoted")
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '"':
			i++
			b.WriteByte('"')
		case s[i] == '"':
			return b.String(), s[i+1:], nil
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", errors.New("its quote is not closed")
}

// set sets an option, called by its name in lower case.
func (o *options) set(name string, value *string) error {
	if value != nil {
		return o.setValue(name, *value)
	}
	switch name {
	case "cert-authority":
		o.authority = true
	case "restrict":
		o.permit.NoPTY, o.permit.NoForwarding = true, true
	case "pty", "no-pty":
		o.permit.NoPTY = name == "no-pty"
	case "port-forwarding", "no-port-forwarding":
		o.permit.NoForwarding = name == "no-port-forwarding"
	case "no-agent-forwarding", "no-x11-forwarding", "no-user-rc":
		// landline forwards no agent and no X11 and runs no ~/.ssh/rc: obeyed as it is.
	default:
		return fmt.Errorf("option %.40q is not obeyed here", name)
	}
	return nil
}

func (o *options) setValue(name, value string) error {
	twice := false
	switch name {
	case "command":
		if value == "" {
			return errors.New("command is empty")
		}
		twice = o.permit.Command != ""
		o.permit.Command = value
	case "from":
		twice = o.from != nil
		o.from = &value
	case "principals":
		twice = o.principals != nil
		o.principals = strings.Split(value, ",")
	case "expiry-time":
		t, err := parseExpiry(value)
		if err != nil {
			return err
		}
		if o.expiry.IsZero() || t.Before(o.expiry) {
			o.expiry = t
		}
	default:
		return fmt.Errorf("option %.40q is not obeyed here", name)
	}
	if twice {
		return fmt.Errorf("option %q is given twice", name)
	}
	return nil
}

// parseExpiry parses YYYYMMDD[HHMM[SS]], in local time or, if Z or UTC follows, in UTC.
func parseExpiry(s string) (time.Time, error) {
	digits, zone := strings.TrimRight(s, "UTCZutcz"), time.Local
	switch strings.ToUpper(s[len(digits):]) {
	case "":
	case "Z", "UTC":
		zone = time.UTC
	default:
		return time.Time{}, fmt.Errorf("expiry-time %.40q is not YYYYMMDD[HHMM[SS]][Z]", s)
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(digits) != len(layout) {
			continue
		}
		if t, err := time.ParseInLocation(layout, digits, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("expiry-time %.40q is not YYYYMMDD[HHMM[SS]][Z]", s)
}

// check checks what the options ask of the connection.
func (o *options) check(from netip.Addr, now time.Time) error {
	if !o.expiry.IsZero() && !now.Before(o.expiry) {
		return fmt.Errorf("expired at %s", stamp(o.expiry))
	}
	if o.from == nil {
		return nil
	}
	m, err := matchAddresses(*o.from, from)
	if err != nil {
		return fmt.Errorf("option from: %w", err)
	}
	if m != matchYes {
		return fmt.Errorf("not from %s (from=%q)", from, *o.from)
	}
	return nil
}
