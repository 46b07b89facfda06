package tcp

import "testing"

func sacking(t *testing.T) *dialogue {
	t.Helper()
	c := plainConfig()
	c.noSACK = false
	return establishedWith(t, c, "mss 1000 sackok")
}

// "the data receiver SHOULD include as many distinct SACK blocks as possible in the SACK option" (RFC 2018, Section 4).
func TestGrowingPieceDoesNotHideTheOthers(t *testing.T) {
	d := sacking(t)
	d.in(". seq 1001 ack 1 len 100")
	d.out(". seq 1 ack 1 sack 1001-1101", "a piece")
	d.in(". seq 2001 ack 1 len 100")
	d.out(". seq 1 ack 1 sack 2001-2101 1001-1101", "another, which changed last")
	for i := range 5 {
		d.in(". seq " + itoa(2101+100*i) + " ack 1 len 100")
		d.out(". seq 1 ack 1 sack 2001-"+itoa(2201+100*i)+" 1001-1101", "it grows, and the other is still there")
	}
}

func TestPieceIsReportedThatHasNotChangedForLong(t *testing.T) {
	d := sacking(t)
	for _, piece := range []int{5001, 1001, 2001, 3001, 4001} {
		d.in(". seq " + itoa(piece) + " ack 1 len 100")
	}
	d.out(". seq 1 ack 1 sack 5001-5101", "the first")
	d.out(". seq 1 ack 1 sack 1001-1101 5001-5101", "the latest comes first")
	d.out(". seq 1 ack 1 sack 2001-2101 1001-1101 5001-5101", "")
	d.out(". seq 1 ack 1 sack 3001-3101 2001-2101 1001-1101 5001-5101", "")
	d.out(". seq 1 ack 1 sack 4001-4101 3001-3101 2001-2101 1001-1101", "there is room for four")
	for i := range 4 {
		d.in(". seq " + itoa(1+1000*i) + " ack 1 len 1000")
		d.in(". seq " + itoa(1001+1000*i) + " ack 1 len 100")
	}
	d.sent = nil
	d.in(". seq 4101 ack 1 len 100")
	d.out(". seq 1 ack 4201 sack 5001-5101", "what is left is the one that nobody remembers")
}
