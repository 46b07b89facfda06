package remote

import (
	"fmt"
	"os"
	"testing"
)

// benchDir is on a file system in memory where there is one, so that the disk is
// not what is measured.
func benchDir(b *testing.B) string {
	dir, err := os.MkdirTemp("/dev/shm", "landline-bench-")
	if err != nil {
		return b.TempDir()
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// BenchmarkBig copies one file of 1 GiB through a source and a sink in this
// process.
func BenchmarkBig(b *testing.B) {
	const size = 1 << 30
	dir := benchDir(b)
	f, err := os.Create(dir + "/big")
	if err != nil {
		b.Fatal(err)
	}
	piece := noise(1, 1<<20)
	for range size / len(piece) {
		if _, err := f.Write(piece); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	for b.Loop() {
		benchCopy(b, dir+"/big", dir+"/copy")
		b.StopTimer()
		_ = os.Remove(dir + "/copy")
		b.StartTimer()
	}
}

// BenchmarkSmall copies 10,000 files of 4 KiB.
func BenchmarkSmall(b *testing.B) {
	const files = 10_000
	dir := benchDir(b)
	if err := os.Mkdir(dir+"/many", 0o755); err != nil {
		b.Fatal(err)
	}
	content := noise(1, 4096)
	for i := range files {
		if err := os.WriteFile(fmt.Sprintf("%s/many/file-%05d", dir, i), content, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		benchCopy(b, dir+"/many", dir+"/copy")
		b.StopTimer()
		_ = os.RemoveAll(dir + "/copy")
		b.StartTimer()
	}
	b.ReportMetric(files*float64(b.N)/b.Elapsed().Seconds(), "files/s")
}

func benchCopy(b *testing.B, from, to string) {
	o := newCopyLine().run(b.Context(), &source{paths: []string{from}}, &sink{dest: to})
	if o.sourceErr != nil || o.sinkErr != nil || o.sink.Failed != 0 {
		b.Fatal(o)
	}
}
