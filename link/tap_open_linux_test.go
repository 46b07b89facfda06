package link_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"landline/link"
)

// openTUN opens a TUN or TAP as another program would that hands it on.
func openTUN(t *testing.T, name string, flags uint16) *os.File {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { file.Close() })
	request, err := unix.NewIfreq(name)
	if err != nil {
		t.Fatal(err)
	}
	request.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		t.Fatal(err)
	}
	return file
}

const tapFlags = unix.IFF_TAP | unix.IFF_NO_PI

func TestTAPOfAFileThatIsOpenAlready(t *testing.T) {
	enterNamespace(t)
	for name, c := range map[string]struct {
		flags uint16
		link.TAPConfig
		want link.Info
	}{
		"whole":     {tapFlags | unix.IFF_VNET_HDR, link.TAPConfig{}, link.Info{MTU: 1500, Offloads: link.OffloadChecksum | link.OffloadTSO}},
		"plain":     {tapFlags, link.TAPConfig{Without: link.OffloadChecksum}, link.Info{MTU: 1500}},
		"oneofmany": {tapFlags | unix.IFF_VNET_HDR | unix.IFF_MULTI_QUEUE, link.TAPConfig{MTU: 1280}, link.Info{MTU: 1280, Offloads: link.OffloadChecksum | link.OffloadTSO}},
	} {
		c.File = openTUN(t, name, c.flags)
		tap, err := link.OpenTAP(c.TAPConfig)
		if err != nil {
			t.Fatal(err)
		}
		c.File.Close()
		c.want.Name, c.want.MAC = name, tap.Info().MAC
		if tap.Info() != c.want {
			t.Errorf("got %+v, want %+v", tap.Info(), c.want)
		}
		ip(t, "link", "set", name, "up")
		mustWrite(t, tap, testFrame(64, 0))
		tap.Close()
	}
}

func TestTAPRefusesFilesThatAreNoUse(t *testing.T) {
	enterNamespace(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	idle, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	closed := openTUN(t, "closed", tapFlags)
	closed.Close()
	for _, c := range []struct {
		file    *os.File
		without link.Offloads
		want    string
	}{
		{null, 0, "no open TAP"},
		{idle, 0, "no open TAP"},
		{closed, 0, "closed"},
		{openTUN(t, "tun0", unix.IFF_TUN|unix.IFF_NO_PI), 0, "tun0 is a TUN"},
		{openTUN(t, "tap1", tapFlags), 0, "without IFF_VNET_HDR"},
		{openTUN(t, "tap2", tapFlags|unix.IFF_VNET_HDR), link.OffloadChecksum, "with IFF_VNET_HDR"},
	} {
		tap, err := link.OpenTAP(link.TAPConfig{File: c.file, Without: c.without})
		if err == nil {
			tap.Close()
			t.Errorf("%s: taken", c.file.Name())
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something of %q", c.file.Name(), err, c.want)
		}
	}
}

// A name means another interface in another network namespace, or none.
func TestTAPOfAnotherNamespaceNeedsAnMTU(t *testing.T) {
	enterNamespace(t)
	file := openTUN(t, "tap0", tapFlags|unix.IFF_VNET_HDR)
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if _, err := link.OpenTAP(link.TAPConfig{File: file}); err == nil || !strings.Contains(err.Error(), "MTU has to be given") {
			t.Errorf("without an MTU: %v", err)
		}
		tap, err := link.OpenTAP(link.TAPConfig{File: file, MTU: 1500})
		if err != nil {
			t.Fatal(err)
		}
		tap.Close()
		if i == 0 { // the second time there is one
			openTUN(t, "tap0", tapFlags|unix.IFF_VNET_HDR)
		}
	}
}

func TestOpenTAPSaysWhatHelps(t *testing.T) {
	enterNamespace(t)
	ip(t, "link", "add", "bridge0", "type", "bridge")
	openTUN(t, "tap0", tapFlags)
	for _, c := range []struct {
		config link.TAPConfig
		is     error
		want   string
	}{
		{link.TAPConfig{Name: "tap0"}, unix.EBUSY, "open tap tap0: TUNSETIFF: device or resource busy (another program has it open)"},
		{link.TAPConfig{Name: "bridge0"}, unix.EINVAL, "no TAP"},
		{link.TAPConfig{Name: "a-name-that-is-too-long"}, nil, "longer than 15 bytes"},
		{link.TAPConfig{MTU: 67}, nil, "mtu of 67"},
		{link.TAPConfig{MTU: 65536}, nil, "mtu of 65536"},
	} {
		_, err := link.OpenTAP(c.config)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%+v: %v, want %q", c.config, err, c.want)
		}
	}
}

func TestOpenTAPWithoutPermissionSaysWhatHelps(t *testing.T) {
	enterNamespace(t)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var whole [2]unix.CapUserData
	if err := unix.Capget(&header, &whole[0]); err != nil {
		t.Fatal(err)
	}
	less := whole
	less[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	if err := unix.Capset(&header, &less[0]); err != nil { // of this thread only
		t.Fatal(err)
	}
	defer unix.Capset(&header, &whole[0])
	_, err := link.OpenTAP(link.TAPConfig{Name: "tap0"})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") || !strings.Contains(err.Error(), "ip tuntap add") {
		t.Errorf("got %v", err)
	}
}

// The interface is there as long as one of the two has it open, and what the second opens has all offloads.
func TestTAPThatWasMadeForAnotherProcess(t *testing.T) {
	enterNamespace(t)
	file, err := link.MakeTAP("made%d")
	if err != nil {
		t.Fatal(err)
	}
	tap, err := link.OpenTAP(link.TAPConfig{File: file, MTU: 1400})
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	ip(t, "link", "set", "made0", "up")
	mustWrite(t, tap, testFrame(64, 0))
	if o := tap.Info().Offloads; o != link.OffloadChecksum|link.OffloadTSO {
		t.Errorf("offloads %v", o)
	}
	tap.Close()
	if _, err := net.InterfaceByName("made0"); err == nil {
		t.Error("the interface is still there")
	}
	if _, err := link.MakeTAP("a-name-that-is-too-long"); err == nil || !strings.Contains(err.Error(), "longer than 15 bytes") {
		t.Errorf("a long name: %v", err)
	}
}
