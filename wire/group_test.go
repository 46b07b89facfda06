package wire_test

import (
	"slices"
	"testing"
	"time"

	"landline/wire"
)

// igmpReport has a record with a source, and auxiliary data that nobody uses.
var igmpReport = packet(
	field{"22 00", "version 3 report, reserved (RFC 3376, Section 4.2)"},
	field{"01 f3", "checksum"},
	field{"00 00 00 02", "reserved, two records"},
	field{"04 00 00 00 e0 00 00 fb", "to exclude, no sources: 224.0.0.251"},
	field{"03 00 00 01 e8 01 02 03", "to include, one source: 232.1.2.3"},
	field{"0a 00 00 09", "source"},
)

func TestReadsIGMPRecords(t *testing.T) {
	m := parsed(t, igmpReport, wire.ParseIGMP)
	equal(t, "checksum", m.Verify(), nil)
	equal(t, "damaged", wire.IGMP(with(m, 11, 1)).Verify(), error(wire.ErrIGMPChecksum))
	equal(t, "group", m.Group(), zero4)
	r := m.Records()
	equal(t, "a record", r.Next(), true)
	equal(t, "record", r.Record(), wire.GroupRecord{Type: wire.GroupToExclude, Group: mdns4})
	equal(t, "sources", r.Sources(), 0)
	equal(t, "another", r.Next(), true)
	equal(t, "record", r.Record(), wire.GroupRecord{Type: wire.GroupToInclude, Group: addr("232.1.2.3")})
	equal(t, "sources", r.Sources(), 1)
	equal(t, "source", r.Source(0), addr("10.0.0.9"))
	equal(t, "a third", r.Next(), false)
	equal(t, "text", m.String(), "igmp report v3 to exclude 224.0.0.251, to include 232.1.2.3 sources 1")
}

func TestAuxiliaryDataOfRecordsIsSteppedOver(t *testing.T) {
	// Two records of 12 and 8 bytes, the first with four bytes of data (RFC
	// 3376, Section 4.2.6).
	b := packet(field{"22 00 00 00 00 00 00 02 06 01 00 00 e0 00 00 05 ff ff ff ff 05 00 00 00 e0 00 00 06", "report"})
	equal(t, "text", parsed(t, b, wire.ParseIGMP).String(), "igmp report v3 block 224.0.0.5, allow 224.0.0.6")
}

func TestWritesGroupReports(t *testing.T) {
	records := []wire.GroupRecord{{Type: wire.GroupIsExclude, Group: mdns4}, {Type: wire.GroupToInclude, Group: addr("224.0.0.9")}}
	four := parsed(t, wire.AppendIGMPv3Report(nil, records...), wire.ParseIGMP)
	equal(t, "checksum", four.Verify(), nil)
	var got []wire.GroupRecord
	for r := four.Records(); r.Next(); {
		got = append(got, r.Record())
	}
	equal(t, "records", slices.Equal(got, records), true)

	records[0].Group, records[1].Group, got = mdns6, addr("ff02::9"), nil
	six := parsed(t, wire.ICMPv6(wire.AppendMLDv2Report(nil, records...)), wire.ParseMLD)
	equal(t, "group", six.Group(), addr("::"))
	for r := six.Records(); r.Next(); {
		got = append(got, r.Record())
	}
	equal(t, "records", slices.Equal(got, records), true)
}

func TestReadsGroupQueries(t *testing.T) {
	three := parsed(t, packet(
		field{"11", "query (RFC 3376, Section 4.1)"},
		field{"8a", "response time, exponent 0, mantissa 10: 208 tenths of a second"},
		field{"eb f8", "checksum"},
		field{"00 00 00 00", "all groups"},
		field{"02 7d 00 00", "robustness 2, interval 125 s, no sources"},
	), wire.ParseIGMP)
	equal(t, "checksum", three.Verify(), nil)
	equal(t, "version 3", three.IsV3Query(), true)
	equal(t, "response time", three.MaxResponse(), 20800*time.Millisecond)
	equal(t, "text", three.String(), "igmp query of all in 20.8s")

	equal(t, "response time that needs no exponent", wire.IGMP(with(three, 1, 0x7f)).MaxResponse(), 12700*time.Millisecond)
	equal(t, "the longest", wire.IGMP(with(three, 1, 0xff)).MaxResponse(), 3174400*time.Millisecond)

	two := parsed(t, wire.AppendIGMP(nil, wire.IGMPQuery, 10*time.Second, mdns4), wire.ParseIGMP)
	equal(t, "version 3", two.IsV3Query(), false)
	equal(t, "response time", two.MaxResponse(), 10*time.Second)
	equal(t, "text", two.String(), "igmp query of 224.0.0.251 in 10s")
}

func TestReadsListenerQueries(t *testing.T) {
	b := packet(
		field{"82 00", "query, code (RFC 3810, Section 5.1)"},
		field{"e9 25", "checksum from fe80::1 to ff02::fb"},
		field{"93 88", "response time, exponent 1, mantissa 388 (hexadecimal): 80,000 ms"},
		field{"00 00", "reserved"},
		field{"ff02 0000 0000 0000 0000 0000 0000 00fb", "group"},
		field{"02 7d 00 00", "robustness 2, interval 125 s, no sources"},
	)
	equal(t, "checksum", wire.ICMPv6(b).Verify(wire.PseudoSum(ll1, mdns6, wire.ProtoICMPv6, len(b))), nil)
	two := parsed(t, wire.ICMPv6(b), wire.ParseMLD)
	equal(t, "version 2", two.IsV2Query(), true)
	equal(t, "group", two.Group(), mdns6)
	equal(t, "response time", two.MaxResponse(), 80*time.Second)
	equal(t, "text", wire.ICMPv6(b).String(), "icmp6 mld query of ff02::fb in 1m20s")

	all := packet(
		field{"82 00 59 17", "query, code, checksum from fe80::1 to ff02::1 (RFC 2710, Section 3)"},
		field{"27 10 00 00", "response time 10,000 ms, reserved"},
		field{"0000 0000 0000 0000 0000 0000 0000 0000", "all groups"},
	)
	one := parsed(t, wire.ICMPv6(all), wire.ParseMLD)
	equal(t, "version 2", one.IsV2Query(), false)
	equal(t, "response time", one.MaxResponse(), 10*time.Second)
	built := wire.AppendMLD(nil, wire.ICMPv6MLDQuery, 10*time.Second, addr("::"))
	wire.ICMPv6(built).FillChecksum(wire.PseudoSum(ll1, addr("ff02::1"), wire.ProtoICMPv6, len(built)))
	equalBytes(t, "built", built, all)
}

func TestWritesOldReports(t *testing.T) {
	b := packet(
		field{"83 00 7e 2f", "report, code, checksum from fe80::1 to ff02::fb (RFC 2710, Section 3)"},
		field{"00 00 00 00", "response time, reserved"},
		field{"ff02 0000 0000 0000 0000 0000 0000 00fb", "group"},
	)
	built := wire.AppendMLD(nil, wire.ICMPv6MLDReport, 0, mdns6)
	wire.ICMPv6(built).FillChecksum(wire.PseudoSum(ll1, mdns6, wire.ProtoICMPv6, len(built)))
	equalBytes(t, "built", built, b)
	equal(t, "text", wire.ICMPv6(b).String(), "icmp6 mld report ff02::fb")
	equal(t, "text", wire.ICMPv6(wire.AppendMLD(nil, wire.ICMPv6MLDDone, 0, mdns6)).String(), "icmp6 mld done ff02::fb")
	equal(t, "text", wire.IGMP(wire.AppendIGMP(nil, wire.IGMPv1Report, 0, mdns4)).String(), "igmp report v1 224.0.0.251")
	equal(t, "text", wire.IGMP(wire.AppendIGMP(nil, 0x99, 0, mdns4)).String(), "igmp type 153 len 8")
	equal(t, "text", wire.IGMP(wire.AppendIGMP(nil, wire.IGMPLeave, 0, mdns4)).String(), "igmp leave 224.0.0.251")
}

func TestResponseTimeOfBuiltQueryIsBounded(t *testing.T) {
	equal(t, "IGMP", wire.IGMP(wire.AppendIGMP(nil, wire.IGMPQuery, time.Hour, zero4)).MaxResponse(), 12700*time.Millisecond)
	equal(t, "MLD", wire.MLD(wire.AppendMLD(nil, wire.ICMPv6MLDQuery, time.Hour, mdns6)).MaxResponse(), 32767*time.Millisecond)
}

func TestRefusesBadGroupMessages(t *testing.T) {
	query3 := append(wire.AppendIGMP(nil, wire.IGMPQuery, time.Second, zero4), 2, 125, 0, 1, 10, 0, 0, 9)
	query2 := wire.ICMPv6(append(wire.AppendMLD(nil, wire.ICMPv6MLDQuery, 0, mdns6), 2, 125, 0, 1))
	query2 = append(query2, gl1.AsSlice()...)
	parsed(t, query3, wire.ParseIGMP)
	parsed(t, query2, wire.ParseMLD)
	for _, n := range []int{0, 7, 9, 10, 11, 12, 15} {
		refused(t, "query", query3[:n], wire.ParseIGMP, wire.ErrIGMPShort)
	}
	for _, n := range []int{8, 23, 25, 26, 27, 28, 43} {
		refused(t, "query", query2[:n], wire.ParseMLD, wire.ErrMLDShort)
	}
	for n := range igmpReport {
		refused(t, "report", igmpReport[:n], wire.ParseIGMP, wire.ErrIGMPShort)
	}
	report := wire.ICMPv6(ipv6Report[48:])
	for n := 8; n < len(report); n++ {
		refused(t, "report", report[:n], wire.ParseMLD, wire.ErrMLDShort)
	}
	refused(t, "report of one more", with(report, 7, 2), wire.ParseMLD, wire.ErrMLDShort)
	refused(t, "sources that have not come", with(report, 11, 1), wire.ParseMLD, wire.ErrMLDShort)
	equal(t, "text", wire.ICMPv6(report[:20]).String(), "icmp6 mld report v2 bad mld short len 20")
}
