package link

import "landline/wire"

// tcpChecksum is where the checksum is in a TCP header.
const tcpChecksum = 16

// unitHeaderLen returns the length of all the headers of a unit. The error is ErrFrame, if
// they are not all in Head or its checksum is not that of a TCP header.
func (f *Frame) unitHeaderLen() (int, error) {
	start := int(f.SumStart)
	if int(f.SumField) != start+tcpChecksum || start+wire.TCPLen > len(f.Head) {
		return 0, ErrFrame
	}
	tcp, err := wire.ParseTCP(f.Head[start:])
	if err != nil {
		return 0, ErrFrame
	}
	return start + tcp.HeaderLen(), nil
}
