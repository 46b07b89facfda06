package link

// DatagramStats counts what came to a DatagramListener and belongs to no machine.
type DatagramStats struct {
	Nameless uint64 // datagrams from sockets without an address, which cannot be answered
	Refused  uint64 // datagrams from senders that cannot be reached, or are too many
}
