// Names a stack of a live process: name_stack PID ADDRESS..., innermost first.
package main

import (
	"fmt"
	"log"
	"os"
	"strconv"

	backsight "github.com/backsight/backsight/bindings/go"
)

func main() {
	log.SetFlags(0)
	pid, _ := strconv.Atoi(os.Args[1])
	var stack []uint64
	for _, arg := range os.Args[2:] {
		address, _ := strconv.ParseUint(arg, 0, 64)
		stack = append(stack, address)
	}
	process, err := backsight.Open(pid)
	if err != nil {
		log.Fatal(err)
	}
	defer process.Close()
	answers, err := process.SymbolizeStack(stack)
	if err != nil {
		log.Fatal(err)
	}
	for _, answer := range answers {
		fmt.Println(answer)
	}
}
