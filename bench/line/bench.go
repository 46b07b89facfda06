package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"landline/bench/internal/rig"
)

// A bench is the rig with what the chosen jobs need on it.
type bench struct {
	rig     *rig.Rig
	servers map[server]*rig.Server
}

func newBench(r *rig.Rig, groups []*group) (*bench, error) {
	b := &bench{rig: r, servers: map[server]*rig.Server{none: nil}}
	for name, file := range map[string]string{"DST": "dst", "BIG": "big", "SMALL": "small"} {
		r.Set(name, filepath.Join(r.Dir, file))
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r.Set("SELF", self)
	port, err := rig.FreePort()
	if err != nil {
		return nil, err
	}
	r.Set("PORT", fmt.Sprint(port))
	r.Set("PORTHEX", fmt.Sprintf("%04X", port))
	start := map[server]func() (*rig.Server, error){sshd: r.StartSSH, landline: r.StartLandline, fleet: r.StartFleet}
	for _, g := range groups {
		if err := b.makeSource(g.source); err != nil {
			return nil, err
		}
		for _, j := range g.jobs {
			if _, ok := b.servers[j.server]; ok {
				continue
			}
			s, err := start[j.server]()
			if err != nil {
				return nil, err
			}
			b.servers[j.server] = s
		}
	}
	return b, nil
}

func (b *bench) makeSource(source string) error {
	target := filepath.Join(b.rig.Dir, "big")
	write := writeBig
	switch source {
	case "":
		return nil
	case "$SMALL":
		target, write = filepath.Join(b.rig.Dir, "small"), writeSmall
	}
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	return write(target)
}

func writeBig(file string) error { return rig.WriteNoise(file, bigSize) }

func writeSmall(dir string) error {
	random := rig.Noise()
	buf := make([]byte, smallSize)
	for i := range smallFiles {
		sub := filepath.Join(dir, fmt.Sprintf("%03d", i/100))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return err
		}
		if _, err := io.ReadFull(random, buf); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("%03d", i%100)), buf, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// run measures a group, its jobs in turn (A B C, A B C, …), so that whatever else
// the machine does falls on all of them alike. In the first round, which does not
// count, every byte of the results is compared, later their sizes.
func (b *bench) run(g *group, rounds int) error {
	for round := range rounds + 1 {
		for _, j := range g.jobs {
			for range g.times {
				s, err := b.once(g, j, round == 0)
				if err != nil {
					return fmt.Errorf("%s: %w", j.name, err)
				}
				if round > 0 {
					j.samples = append(j.samples, s)
				}
				fmt.Fprintf(os.Stderr, "round %d of %d: %s: %s: %s\n", round, rounds, g.title, j.name, short(s.Wall))
			}
		}
	}
	return nil
}

func (b *bench) once(g *group, j *job, compare bool) (rig.Sample, error) {
	dst := filepath.Join(b.rig.Dir, "dst")
	if err := os.RemoveAll(dst); err != nil {
		return rig.Sample{}, err
	}
	if err := os.Mkdir(dst, 0o755); err != nil {
		return rig.Sample{}, err
	}
	if j.before != "" {
		if err := b.rig.Do(j.before); err != nil {
			return rig.Sample{}, err
		}
	}
	s, err := b.rig.Measure(b.rig.Command(j.line), b.servers[j.server])
	if err != nil || g.source == "" {
		return s, err
	}
	if compare {
		return s, b.rig.Do("diff -r " + g.source + " $DST/" + filepath.Base(b.rig.Expand(g.source)))
	}
	return s, sameSize(b.rig.Expand(g.source), dst)
}

// sameSize holds that dst has as many files and bytes as source.
func sameSize(source, dst string) error {
	wantFiles, wantBytes, err := measureTree(source)
	if err != nil {
		return err
	}
	files, bytes, err := measureTree(dst)
	if err == nil && (files != wantFiles || bytes != wantBytes) {
		err = fmt.Errorf("%d files with %d bytes came, %d with %d were sent", files, bytes, wantFiles, wantBytes)
	}
	return err
}

func measureTree(dir string) (files, bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		fi, err := d.Info()
		if err == nil {
			files++
			bytes += fi.Size()
		}
		return err
	})
	return files, bytes, err
}
