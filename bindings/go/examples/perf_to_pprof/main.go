// Turns a recording of perf into a profile for go tool pprof: perf_to_pprof IN OUT.pb.gz
package main

import (
	"log"
	"os"

	backsight "github.com/backsight/backsight/bindings/go"
)

func main() {
	profile, err := backsight.ReadProfile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer profile.Close()
	if err := profile.Symbolize(); err != nil {
		log.Fatal(err)
	}
	if err := profile.Write(os.Args[2]); err != nil {
		log.Fatal(err)
	}
	for _, note := range profile.Notes() {
		log.Print(note)
	}
}
