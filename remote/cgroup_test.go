//go:build linux

package remote

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestControlGroupIsFoundAmongTheMounts(t *testing.T) {
	const mounts = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu
33 31 0:30 /other /mnt/other rw,relatime - cgroup2 cgroup2 rw
34 31 0:30 /user.slice /mnt/with\\040space rw - cgroup2 cgroup2 rw
35 31 0:30 /user.slice /mnt/user rw,relatime shared:9 master:2 - cgroup2 cgroup2 rw
36 31 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`
	for path, want := range map[string]string{
		"/":                    "/sys/fs/cgroup/unified",
		"/system.slice/a":      "/sys/fs/cgroup/unified/system.slice/a",
		"/user.slice/b":        "/mnt/user/b",
		"/user.slice":          "/mnt/user",
		"/other/../user.slice": "/mnt/user",
	} {
		if got, ok := cgroupFolder(mounts, path); got != want || !ok {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if got, ok := cgroupFolder("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "/"); ok {
		t.Errorf("without a mount: %q", got)
	}
}

// delegatedGroup makes a control group that is delegated, for a server to be in.
func delegatedGroup(t *testing.T) string {
	t.Helper()
	own, ok := ownCgroup()
	dir := filepath.Join(own, "landline-test-"+strconv.Itoa(os.Getpid()))
	if !ok || os.Mkdir(dir, 0o755) != nil {
		t.Skip("no control group can be made here")
	}
	t.Cleanup(func() {
		waitFor(t, "the control group to be empty", func() bool { return os.Remove(dir) == nil })
	})
	if !canKill(dir) || unix.Setxattr(dir, "trusted.delegate", []byte("1"), 0) != nil {
		t.Skip("control groups are too old here, or this is not root")
	}
	return dir
}

func TestDelegatedControlGroupHoldsAJobTogether(t *testing.T) {
	group := delegatedGroup(t)
	socket := t.TempDir() + "/s"
	if err := os.WriteFile(socket+".group", []byte(group), 0o600); err != nil {
		t.Fatal(err)
	}
	serveAt(t, socket)
	t.Cleanup(func() { endJobs(t, &Server{State: socket + ".state"}) })
	nc, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{Client: NewClient(nc, "test")}
	defer l.Close()
	// Nothing but the control group tells that this sleep is the job's.
	const script = "env -i setsid sleep 600 & echo $PPID $$ $!; exec sleep 600"
	for name, end := range map[string]func(id string, keeper int){
		"cancelled": func(id string, _ int) {
			if r, _, _ := attach(t, l.Client, Attachment{Job: id, Cancel: true}); r.Reason != Cancelled {
				t.Errorf("%+v", r)
			}
		},
		"its keeper killed": func(id string, keeper int) {
			unix.Kill(keeper, unix.SIGKILL)
			waitFor(t, "its end", func() bool { return state(t, l, id) == Lost })
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := start(t, l, sh(script))
			var out bytes.Buffer
			waitFor(t, "its numbers", func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				out.Reset()
				l.Attach(ctx, Attachment{Job: id, Stdout: &out})
				return strings.HasSuffix(out.String(), "\n")
			})
			numbers := strings.Fields(out.String())
			keeper, err := strconv.Atoi(numbers[0])
			if err != nil {
				t.Fatal(err)
			}
			inside := filepath.Join(group, cgroupPrefix+id)
			if b, err := os.ReadFile(inside + "/cgroup.procs"); err != nil || strings.Count(string(b), "\n") != 2 {
				t.Errorf("in its control group: %q, %v", b, err)
			}
			end(id, keeper)
			wantGone(t, numbers[1])
			wantGone(t, numbers[2])
			waitFor(t, "its control group to be removed", func() bool {
				store{socket + ".state"}.sweep(time.Now())
				_, err := os.Stat(inside)
				return os.IsNotExist(err)
			})
		})
	}
}
