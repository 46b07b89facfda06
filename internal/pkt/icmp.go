package pkt

import (
	"fmt"
	"strconv"
	"strings"
)

// The names that scripts have for types and codes of ICMP, by number.
var (
	icmp4Types = map[uint8]string{
		0: "echo_reply", 3: "unreachable", 4: "source_quench", 5: "redirect", 8: "echo_request", 11: "time_exceeded",
		12: "parameter_problem", 13: "timestamp_request", 14: "timestamp_reply", 15: "information_request",
		16: "information_reply", 17: "address_mask_request", 18: "address_mask_reply",
	}
	icmp4Codes = map[string]map[uint8]string{
		"unreachable": {
			0: "net_unreachable", 1: "host_unreachable", 2: "protocol_unreachable", 3: "port_unreachable", 4: "frag_needed",
			5: "source_route_failed", 6: "net_unknown", 7: "host_unknown", 8: "source_host_isolated", 9: "net_prohibited",
			10: "host_prohibited", 11: "net_unreachable_for_tos", 12: "host_unreachable_for_tos", 13: "packet_filtered",
			14: "precedence_violation", 15: "precedence_cutoff",
		},
		"time_exceeded": {0: "ttl_exceeded_in_transit", 1: "frag_reass_exceeded"},
	}
	icmp6Types = map[uint8]string{
		1: "unreachable", 2: "packet_too_big", 3: "time_exceeded", 4: "parameter_problem", 128: "echo_request",
		129: "echo_reply", 134: "router_advertisement",
	}
	icmp6Codes = map[string]map[uint8]string{
		"unreachable": {
			0: "no_route", 1: "admin_prohibited", 2: "not_neighbour", 3: "address_unreachable", 4: "port_unreachable",
		},
		"time_exceeded":     {0: "exceeded_hop_limit", 1: "exceeded_frag_time"},
		"parameter_problem": {0: "header_field", 1: "unknown_next_header", 2: "unknown_option"},
	}
)

func icmpTables(v6 bool) (types map[uint8]string, codes map[string]map[uint8]string) {
	if v6 {
		return icmp6Types, icmp6Codes
	}
	return icmp4Types, icmp4Codes
}

// numbers returns the type and code that names stand for.
func (f *ICMPFields) numbers(v6 bool) (typ, code uint8, err error) {
	types, codes := icmpTables(v6)
	typ, ok := numberOf(types, f.Type, "type_")
	if !ok {
		return 0, 0, fmt.Errorf("no type of ICMP is called %q", f.Type)
	}
	if f.Code == "" {
		return typ, 0, nil
	}
	if code, ok = numberOf(codes[f.Type], f.Code, "code_"); !ok {
		return 0, 0, fmt.Errorf("no code of the ICMP type %s is called %q", f.Type, f.Code)
	}
	return typ, code, nil
}

// numberOf returns the number of a name, which may be made of the number itself.
func numberOf(names map[uint8]string, name, prefix string) (uint8, bool) {
	for n, other := range names {
		if other == name {
			return n, true
		}
	}
	digits, ok := strings.CutPrefix(name, prefix)
	n, err := strconv.ParseUint(digits, 10, 8)
	return uint8(n), ok && err == nil
}

// icmpNames returns the names of a type and code.
func icmpNames(typ, code uint8, v6 bool) (string, string) {
	types, codes := icmpTables(v6)
	t, ok := types[typ]
	if !ok {
		t = fmt.Sprintf("type_%d", typ)
	}
	c, ok := codes[t][code]
	if !ok && code != 0 {
		c = fmt.Sprintf("code_%d", code)
	}
	return t, c
}
