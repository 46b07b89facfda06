package tcp

import "testing"

// What comes into the memory of who waits is one stretch of the text, even if somebody else reads what came behind it.
func TestTextIsPutIntoWaitersMemoryOnlyInARow(t *testing.T) {
	d := establishedPlain(t)
	waiters, others := make([]byte, 100), make([]byte, 100)
	d.tcb.receiveInto(waiters)
	d.in("P. seq 1 ack 1 len 10")
	d.in("P. seq 21 ack 1 len 10")
	d.in("P. seq 11 ack 1 len 10")
	d.equal("read by another", d.tcb.read(others), 20)
	d.in("P. seq 31 ack 1 len 10")
	d.equal("what followed that is not the waiter's", d.tcb.endReceiveInto(), 10)
	d.equal("but is there", d.tcb.readable(), 10)
}
