// Package link moves Ethernet frames, in batches, between machines: over a Cable
// within one process, over a TAP to the kernel, or over a Stream or a Datagram to a virtual
// machine. It knows nothing of what the
// frames carry but where their checksums lie.
//
// # Batches, and whose the bytes are
//
// A Device is written to and calls back; nothing is queued in between unless it has
// to be, and there is no goroutine that only hands over. The goroutine that
// writes to a Cable carries the frames into the machine at the other end, up to its socket,
// as the goroutine that reads a TAP does. So every buffer is valid until the call
// returns, in both directions, and nobody counts references: who wants to
// keep a frame copies it.
//
// # Large units
//
// A frame may be larger than the MTU if the device says so: a unit of
// several TCP segments, of 64 KiB at most, with one header (segmentation offload). Its
// checksum may be left open. So a megabyte costs sixteen walks through a stack
// and not seven hundred. A Segmenter cuts such a unit for a wire that cannot take it.
//
// # What stands before a device
//
// Impair and Capture are Devices around a Device: one loses, delays and damages frames
// as it is told, the other writes them to a file. Neither knows the other, or what is
// behind it.
package link
