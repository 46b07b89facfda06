// Package lan joins machines into a network of their own: a Switch, the Ports that machines
// are plugged into, and a Gateway to the world.
//
//	lan := lan.NewSwitch(lan.Config{})
//	port, err := lan.NewPort(lan.PortConfig{})               // for a machine in this process
//	host, err := landline.NewHost(port, landline.Config{})
//	_, err = lan.Plug(tap, lan.PortConfig{})                 // for a machine at the other end of a device
//	uplink, err := lan.NewPort(lan.PortConfig{})
//	g, err := NewGateway(uplink, GatewayConfig{})            // addresses, names, and the world
//
// # Ports
//
// A Port is a link.Device, and so is what is plugged into one, so that link.Impair and link.Capture can
// stand on either side of it. Ports come and go at run time.
//
// Frames travel as package link has them: in batches, and in units of up to 64 KiB, which are cut only
// before a port that does not take them. There is no goroutine that hands over. The one that brought a
// batch carries it into the machine it is for, if that is idle; otherwise the frames are copied, once,
// into the queue of its port, and whoever is busy there takes them along.
//
// # Nobody waits
//
// A Switch takes all that it is given, whoever it is for. What a port cannot take, it keeps in its queue,
// and what does not fit there is dropped and counted. So a machine that is stuck costs the others nothing but
// the memory of its queue. Every drop has a name: see Drop.
//
// # Addresses
//
// The switch learns at which port a hardware address is from the frames that come from it. It forgets what it
// has not heard of for 300 seconds, and follows an address to another port. What it cannot
// place, and what is for a group, goes to all the other ports, as often in a second as Config
// says. Each port has room for so many addresses: a machine that makes up more pushes out nobody's.
// The address of a machine in this process is known from the start and does not move.
//
// # The gateway
//
// A Gateway is a landline.Host with two faces. On the LAN it gives out addresses by DHCP and by router advertisements, and
// answers for the names of those who took one. Toward the world it is an ordinary program: it opens a socket of the
// computer for each connection, flow of datagrams or ping of a machine, and needs no rights for that but for pings, on some
// systems. A connection is answered only after the far side has answered, so that refused, unreachable
// and silent stay what they are. All of the computer's networks can be reached through it, as by any program there; its
// loopback only if GatewayConfig says so. At a Switch that it was told of, it lets no other machine play its part, and with CheckSources
// none have an address that is not its own. What is not allowed is for GatewayConfig.Allow to say, the one place that all leases,
// lookups and flows pass.
//
// # Standards
//
// The rules are those of a learning bridge in IEEE 802.1Q, Section 8: what is sent to the group addresses
// that are reserved for neighbours (01-80-C2-00-00-00 to -0F) goes no further, and nothing comes from a group. VLAN
// tags are passed as they are, and addresses are learnt without regard to them. There is no spanning tree: a loop
// is noticed by addresses that seem to be at two ports, and what it can do is bounded by the storm
// limit.
package lan
