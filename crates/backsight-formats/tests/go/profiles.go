// Spends time and memory in functions of known names, one of them inlined, under labels,
// and writes both profiles as the runtime does.
package main

import (
	"context"
	"log"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

var kept [][]byte
var sink uint64

//go:noinline
func outer(n uint64) {
	for i := uint64(0); i < n; i++ {
		middle(i)
	}
}

func middle(i uint64) { sink = inner(i) ^ sink }

func inner(i uint64) uint64 { return i*0x9e3779b97f4a7c15 ^ i>>7 }

//go:noinline
func keep(n int) {
	for i := 0; i < n; i++ {
		kept = append(kept, make([]byte, 64<<10))
	}
}

func create(name string) *os.File {
	file, err := os.Create(name)
	if err != nil {
		log.Fatal(err)
	}
	return file
}

func main() {
	runtime.MemProfileRate = 4096
	cpu := create(os.Args[1])
	if err := pprof.StartCPUProfile(cpu); err != nil {
		log.Fatal(err)
	}
	labels := pprof.Labels("request", "größe \"1\"\n", "kind", "batch")
	pprof.Do(context.Background(), labels, func(context.Context) {
		for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
			outer(1 << 16)
		}
	})
	pprof.StopCPUProfile()
	keep(64)
	heap := create(os.Args[2])
	if err := pprof.Lookup("heap").WriteTo(heap, 0); err != nil {
		log.Fatal(err)
	}
}
