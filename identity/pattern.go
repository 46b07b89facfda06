package identity

import (
	"fmt"
	"net/netip"
	"strings"
)

// A match is what a list of patterns says of a name.
type match int

const (
	matchNo      match = iota
	matchYes           // a pattern matches
	matchNegated       // a pattern after ! matches, whatever the others do
)

// matchList matches name against patterns with commas between them.
func matchList(patterns, name string) match {
	result := matchNo
	for p := range strings.SplitSeq(patterns, ",") {
		p, negated := strings.CutPrefix(p, "!")
		switch {
		case p == "" || !glob(p, name):
		case negated:
			return matchNegated
		default:
			result = matchYes
		}
	}
	return result
}

// glob reports whether pattern matches all of name: * stands for any
// characters, ? for one. Its time is at most the product of the two lengths.
func glob(pattern, name string) bool {
	p, n := 0, 0
	star, mark := -1, 0 // the last * and how much of name it has taken
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// lower returns s with the letters of ASCII in lower case. Others stay: to fold them could
// make one name out of two.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// matchAddresses matches addr against a list of the option from: patterns and
// networks with commas between them, each perhaps after !. An invalid addr
// matches nothing. A broken network is an error, as with sshd(8), lest a typing error lets
// somebody in. Host names match nothing: landline asks no name server whom to trust.
func matchAddresses(list string, addr netip.Addr) (match, error) {
	result := matchNo
	for item := range strings.SplitSeq(list, ",") {
		p, negated := strings.CutPrefix(strings.TrimSpace(item), "!")
		ok, err := matchAddress(p, addr)
		if err != nil {
			return matchNo, err
		}
		switch {
		case !ok:
		case negated:
			result = matchNegated
		case result == matchNo:
			result = matchYes
		}
	}
	return result, nil
}

func matchAddress(pattern string, addr netip.Addr) (bool, error) {
	if strings.Contains(pattern, "/") {
		network, err := parseNetwork(pattern)
		if err != nil {
			return false, err
		}
		return network.Contains(addr), nil
	}
	if !addr.IsValid() {
		return false, nil
	}
	if want, err := netip.ParseAddr(pattern); err == nil {
		return want.Unmap() == addr, nil
	}
	return pattern != "" && glob(lower(pattern), addr.String()), nil
}

// parseNetwork parses an address and a mask's length; no bit may be set after the mask.
func parseNetwork(s string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%.60q is not a network", s)
	}
	if network != network.Masked() {
		return netip.Prefix{}, fmt.Errorf("the network %s has bits after its mask", network)
	}
	return network, nil
}

// inNetworks reports whether addr lies in one of the networks of list, which
// have commas between them: source-address of a certificate, without patterns and negation.
func inNetworks(list string, addr netip.Addr) (bool, error) {
	found := false
	for item := range strings.SplitSeq(list, ",") {
		if !strings.Contains(item, "/") {
			one, err := netip.ParseAddr(item)
			if err != nil {
				return false, fmt.Errorf("%.60q is not an address", item)
			}
			found = found || one.Unmap() == addr
			continue
		}
		network, err := parseNetwork(item)
		if err != nil {
			return false, err
		}
		found = found || network.Contains(addr)
	}
	return found, nil
}
