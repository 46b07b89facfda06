package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"landline/dns"
)

// records reads --srv and --txt.
func (f *lanFlags) records() (map[string][]dns.Record, error) {
	all := map[string][]dns.Record{}
	for _, s := range f.services {
		name, r, err := f.parseService(s)
		if err != nil {
			return nil, &hinted{fmt.Errorf("--srv %s: %w", s, err), "such as --srv _http._tcp=shed:80"}
		}
		all[name] = append(all[name], r)
	}
	for _, s := range f.texts {
		name, text, ok := strings.Cut(s, "=")
		if !ok {
			return nil, &hinted{fmt.Errorf("--txt %s: not NAME=TEXT", s), "such as --txt shed=here"}
		}
		name = f.below(name)
		all[name] = append(all[name], dns.Record{Type: dns.TypeTXT, Texts: []string{text}})
	}
	return all, nil
}

// parseService reads NAME=HOST:PORT.
func (f *lanFlags) parseService(s string) (name string, r dns.Record, err error) {
	name, to, ok := strings.Cut(s, "=")
	host, text, err := net.SplitHostPort(to)
	port, err2 := strconv.ParseUint(text, 10, 16)
	if !ok || err != nil || err2 != nil || host == "" {
		return "", r, fmt.Errorf("not NAME=HOST:PORT")
	}
	target, err := dns.ParseName(f.below(host) + "." + f.domain)
	return f.below(name), dns.Record{Type: dns.TypeSRV, Target: target, Port: uint16(port)}, err
}

// below returns what of a name stands before the domain.
func (f *lanFlags) below(name string) string {
	name = strings.TrimSuffix(name, ".")
	if strings.EqualFold(name, f.domain) {
		return ""
	}
	if at := len(name) - len(f.domain) - 1; at > 0 && name[at] == '.' && strings.EqualFold(name[at+1:], f.domain) {
		return name[:at]
	}
	return name
}
