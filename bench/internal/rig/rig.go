// Package rig is what the measuring programs stand on: a folder on tmpfs, keys,
// and sshd and landline as servers on a loopback of their own. All of it is gone
// when the program ends, unless it is killed: then the folders stay. It needs
// Linux; see the README for what root adds.
package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// These tell the inner program of its folders.
const (
	dirVariable  = "LANDLINE_BENCH_DIR"
	diskVariable = "LANDLINE_BENCH_DISK"
)

// A Rig is a place to measure in. Its methods are for one goroutine.
type Rig struct {
	Dir  string // on tmpfs
	Disk string // on the file system of temporary files, empty at first

	vars map[string]string
	env  []string
}

// Run calls measure with a new Rig and ends the program when it returns. binary
// is the landline to measure; if empty, one is built of the tree around bench/.
//
// The program starts itself once more: the inner one measures, the outer one
// waits for its end and removes the folders.
func Run(binary string, measure func(*Rig) error) {
	var err error
	if dir := os.Getenv(dirVariable); dir != "" {
		err = inner(dir, os.Getenv(diskVariable), measure)
	} else {
		err = outer(binary)
	}
	if err != nil && err != errInner {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	if err != nil {
		os.Exit(1)
	}
}

// errInner is the outer program's error when the inner one, which has said why,
// has failed.
var errInner = errors.New("the inner program has failed")

func outer(binary string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("/dev/shm", "landline-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	disk, err := os.MkdirTemp("", "landline-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(disk)
	if err := install(ctx, binary, dir); err != nil {
		return err
	}
	runtime.LockOSThread() // Pdeathsig follows the thread
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), dirVariable+"="+dir, diskVariable+"="+disk)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID
	}
	err = cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return errInner
	}
	return err
}

// install puts the landline to be measured into dir.
func install(ctx context.Context, binary, dir string) error {
	target := filepath.Join(dir, "landline")
	if binary != "" {
		abs, err := filepath.Abs(binary)
		if err != nil {
			return err
		}
		return os.Symlink(abs, target)
	}
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("go env GOMOD: %w", err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", target, "./cmd/landline")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as README.md says it is installed
	build.Dir = filepath.Join(filepath.Dir(strings.TrimSpace(string(mod))), "..")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build in %s: %w\n%s", build.Dir, err, out)
	}
	return nil
}

func inner(dir, disk string, measure func(*Rig) error) error {
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	if os.Getuid() == 0 {
		if err := enter(dir); err != nil {
			return err
		}
	}
	// A bare environment: no agent, no configuration of whoever measures.
	return measure(&Rig{
		Dir:  dir,
		Disk: disk,
		vars: map[string]string{"DIR": dir, "DISK": disk},
		env:  []string{"PATH=" + dir + ":" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "HOME=" + home, "XDG_RUNTIME_DIR=" + home},
	})
}

// Set makes a variable for command lines.
func (r *Rig) Set(name, value string) { r.vars[name] = value }

// Expand puts the Rig's variables where $NAME stands. Any other name is left to
// the shell.
func (r *Rig) Expand(line string) string {
	return os.Expand(line, func(name string) string {
		if v, ok := r.vars[name]; ok {
			return v
		}
		return "${" + name + "}"
	})
}

// Command makes a command of line, in which $NAME is a variable of the Rig. A
// line with any of |&;<>() is the shell's; others are words with spaces between.
func (r *Rig) Command(line string) *exec.Cmd {
	line = r.Expand(line)
	argv := strings.Fields(line)
	if strings.ContainsAny(line, "|&;<>()") {
		argv = []string{"/bin/sh", "-c", line}
	}
	cmd := exec.Command(r.find(argv[0]), argv[1:]...)
	cmd.Env = r.env
	return cmd
}

// Do runs a command that is not measured; its error has what it said.
func (r *Rig) Do(line string) error {
	cmd := r.Command(line)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	return explain(cmd, cmd.Run(), &said)
}

func explain(cmd *exec.Cmd, err error, said *bytes.Buffer) error {
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, said)
	}
	return nil
}

// find looks a program up in the Rig's PATH. The name comes back where there is
// no such program, for the error that follows.
func (r *Rig) find(name string) string {
	path := strings.TrimPrefix(r.env[0], "PATH=")
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if fi, err := os.Stat(file); err == nil && fi.Mode()&0o111 != 0 {
			return file
		}
	}
	return name
}

// WriteNoise makes a file of size bytes that nothing can compress or find twice.
func WriteNoise(file string, size int64) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, Noise(), size)
	return errors.Join(err, f.Close())
}

// Noise returns the same random bytes each time.
func Noise() io.Reader { return rand.NewChaCha8([32]byte{}) }
