// Command memory moves much more than the memory that landline may use, both ways,
// and sends as much output to a reader that pauses; it prints the peak resident
// memory of each side.
//
// Run it from bench/: go run ./memory
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"landline/bench/internal/rig"
)

// limit is what either side may hold, whatever the size.
const limit = 64 << 20

func main() {
	gib := flag.Int64("gib", 8, "how much to move, in GiB; tmpfs must have room for it, and so must the folder of temporary files (TMPDIR)")
	pause := flag.Duration("pause", 3*time.Second, "how long the reader of the output pauses at its start and after each GiB")
	binary := flag.String("landline", "", "measure this `FILE` instead of building one")
	flag.Parse()
	if *gib < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	rig.Run(*binary, func(r *rig.Rig) error { return measure(r, *gib<<30, *pause) })
}

func measure(r *rig.Rig, size int64, pause time.Duration) error {
	server, err := r.StartLandline()
	if err != nil {
		return err
	}
	m := &meter{rig: r, server: server, size: size}
	fmt.Printf("%s\n\n", r.About())
	fmt.Printf("| %d GiB of | time | peak MiB, client | server | below %d MiB |\n|---|--:|--:|--:|---|\n", size>>30, limit>>20)
	if err := m.output(pause); err != nil {
		return err
	}
	if err := rig.WriteNoise(filepath.Join(r.Dir, "source"), size); err != nil {
		return err
	}
	if err := m.file("a file, get", "landline get $KEYS $HOST:$DIR/source $DISK/"); err != nil {
		return err
	}
	return m.file("a file, put", "landline put $KEYS $DIR/source $HOST:$DISK/")
}

type meter struct {
	rig    *rig.Rig
	server *rig.Server
	size   int64
}

// file measures a copy from tmpfs to disk: the memory that this takes is the
// page cache's, which is nobody's.
func (m *meter) file(what, line string) error {
	s, err := m.rig.Measure(m.rig.Command(line), m.server)
	if err != nil {
		return err
	}
	target := filepath.Join(m.rig.Disk, "source")
	fi, err := os.Stat(target)
	if err != nil {
		return err
	}
	if fi.Size() != m.size {
		return fmt.Errorf("%s: %d bytes came of %d", what, fi.Size(), m.size)
	}
	report(what, s)
	return os.Remove(target)
}

// output measures a command whose output its reader takes a GiB at a time.
func (m *meter) output(pause time.Duration) error {
	cmd := m.rig.Command(fmt.Sprintf("landline run $KEYS $HOST -- head -c %d /dev/zero", m.size))
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd.Stdout = w
	counted := make(chan int64)
	go func() { counted <- readWithPauses(r, pause) }()
	s, err := m.rig.Measure(cmd, m.server)
	w.Close()
	if n := <-counted; err == nil && n != m.size {
		err = fmt.Errorf("%d bytes of output came of %d", n, m.size)
	}
	if err != nil {
		return err
	}
	report(fmt.Sprintf("output, the reader pausing %v after each", pause), s)
	return nil
}

func readWithPauses(r io.Reader, pause time.Duration) (total int64) {
	for {
		time.Sleep(pause)
		n, err := io.CopyN(io.Discard, r, 1<<30)
		total += n
		if err != nil {
			return total
		}
	}
}

func report(what string, s rig.Sample) {
	verdict := "PASS"
	if max(s.Client, s.Server) >= limit {
		verdict = "FALL SHORT"
	}
	fmt.Printf("| %s | %.1f s | %.1f | %.1f | %s |\n", what, s.Wall.Seconds(),
		float64(s.Client)/(1<<20), float64(s.Server)/(1<<20), verdict)
}
