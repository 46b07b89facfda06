package dhcp_test

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"landline/dhcp"
	"landline/wire"
)

var (
	mac1 = wire.MAC{2, 0, 0, 0, 0, 1}

	// start is when all tests begin.
	start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// field is a few bytes of a message, and what they are.
type field struct{ hex, what string }

// packet puts fields together.
func packet(fields ...field) (b []byte) {
	for _, f := range fields {
		part, err := hex.DecodeString(strings.ReplaceAll(f.hex, " ", ""))
		if err != nil {
			panic(f.what + ": " + err.Error())
		}
		b = append(b, part...)
	}
	return b
}

// zeros is n bytes of a field that is not used.
func zeros(n int, what string) field { return field{strings.Repeat("00", n), what} }

// equal reports what differs from what it should be.
func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func equalBytes(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\ngot  %x\nwant %x", what, got, want)
	}
}

func equalSlices[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// parsed returns b as a message, which it must be.
func parsed(t testing.TB, b []byte) dhcp.Message {
	t.Helper()
	m, err := dhcp.ParseMessage(b)
	if err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	return m
}

// with returns a copy of b that is different from the given place on.
func with(b []byte, at int, change ...byte) []byte {
	b = slices.Clone(b)
	copy(b[at:], change)
	return b
}

// bare is a reply with these bytes where the options are.
func bare(options ...byte) []byte {
	b := dhcp.AppendHeader(nil, &dhcp.Header{Op: dhcp.OpReply, CHAddr: mac1})
	return append(b, options...)
}

// noAllocs checks that do allocates nothing, after a first time.
func noAllocs(t *testing.T, what string, do func()) {
	t.Helper()
	if n := testing.AllocsPerRun(10, do); n != 0 {
		t.Errorf("%s: %v allocations", what, n)
	}
}

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func addrs(list ...string) (all []netip.Addr) {
	for _, s := range list {
		all = append(all, addr(s))
	}
	return all
}
