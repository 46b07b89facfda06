package main

import (
	"testing"
	"time"
)

func TestRateIsANumberAndPerhapsAUnit(t *testing.T) {
	for in, want := range map[string]int64{
		"": 0, "1": 1, "500k": 500_000, "10M": 10_000_000, "2G": 2_000_000_000, "4611686018427387903": 1<<62 - 1, "4611686018G": 4_611_686_018e9,
	} {
		if got, err := parseRate(in); err != nil || got != want {
			t.Errorf("%q is %d, %v, not %d", in, got, err, want)
		}
	}
	for _, in := range []string{"0", "0k", "-1", "+1", "k", "1K", "1.5M", "1kk", "1 k", "1kB", "4611686019G", "4611686018427387904", "99999999999999999999"} {
		if got, err := parseRate(in); err == nil {
			t.Errorf("%q is taken for %d", in, got)
		}
	}
}

func TestSizeHasTwoDigitsOrMore(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 999: "999 B", 1000: "1 kB", 1049: "1.0 kB", 1234: "1.2 kB", 9_949: "9.9 kB", 9_960: "10 kB",
		12_345: "12 kB", 999_499: "999 kB", 999_500: "1.0 MB", 100_000_000: "100 MB", 5e9: "5 GB", 1<<63 - 1: "9.2 EB",
	} {
		if got := size(n); got != want {
			t.Errorf("%d is %q, not %q", n, got, want)
		}
	}
}

func TestOneThingIsNotMany(t *testing.T) {
	for n, want := range map[int64]string{0: "0 files", 1: "1 file", 2: "2 files"} {
		if got := count(n, "file"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTimeLeftIsKnownWithARate(t *testing.T) {
	for _, c := range []struct {
		bytes, rate int64
		want        string
	}{
		{100, 0, "-"}, {-1, 10, "-"}, {0, 10, "0s left"}, {100, 10, "10s left"}, {101, 10, "11s left"}, {1, 10, "1s left"},
		{3_661, 1, "1h1m1s left"}, {1<<63 - 1, 1, "100h0m0s left"},
	} {
		if got := timeLeft(c.bytes, c.rate); got != c.want {
			t.Errorf("%d bytes at %d: %q, not %q", c.bytes, c.rate, got, c.want)
		}
	}
}

func TestSpeedForgetsWhatWasThere(t *testing.T) {
	var s speed
	at := time.Unix(1, 0)
	s.update(5_000_000, at) // an earlier copy's
	for i := range int64(20) {
		at = at.Add(rateAfter)
		s.update(5_000_000+(i+1)*1_000_000, at)
	}
	if got := s.now; got != 2_000_000 {
		t.Errorf("%d bytes a second, not 2000000", got)
	}
	s.update(1<<40, at.Add(rateAfter/2))
	if got := s.now; got != 2_000_000 {
		t.Errorf("a moment too short changed it to %d", got)
	}
}

func TestTimesAreRoundedForPeople(t *testing.T) {
	for in, want := range map[time.Duration]string{
		123456 * time.Nanosecond:      "120µs",
		12345678 * time.Nanosecond:    "12.35ms",
		1234567890 * time.Nanosecond:  "1.23s",
		61234567890 * time.Nanosecond: "1m1s",
	} {
		if got := round(in).String(); got != want {
			t.Errorf("%v is %s, not %s", in, got, want)
		}
	}
}

func TestProgressFitsItsLine(t *testing.T) {
	for cols, want := range map[int]string{
		79: "    25 MB / 100 MB     [=======---------------------]      5 MB/s  15s left    ",
		60: "    25 MB / 100 MB     [==-------]      5 MB/s  15s left    ",
		46: "    25 MB / 100 MB        5 MB/s  15s left    ",
		20: "    25 MB / 100 MB  ",
	} {
		if got := progressLine(25e6, 100e6, 5e6, cols); got != want {
			t.Errorf("in %d columns: %q", cols, got)
		}
	}
	for done, known := range map[int64]int64{0: 0, 9: 3, 1 << 62: 1 << 62} { // nothing is known yet; a file that has grown
		if got := progressLine(done, known, 1, 79); len(got) != 79 {
			t.Errorf("%d of %d: %q", done, known, got)
		}
	}
}
