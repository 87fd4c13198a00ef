package main

import (
	"fmt"
	"sort"
	"strings"
)

type shape interface{ area() float64 }
type square struct{ side float64 }

func (s square) area() float64   { return s.side * s.side }
func (s *square) grow(by float64) { s.side += by }

func most[T any](all []T, less func(a, b T) bool) T {
	best := all[0]
	for _, it := range all[1:] {
		if less(best, it) {
			best = it
		}
	}
	return best
}

func main() {
	all := []shape{square{1}, square{3}, square{2}}
	one := &square{4}
	defer func() { fmt.Println(recover(), one.area()) }()
	one.grow(2)
	words := strings.Fields("the quick brown fox")
	sort.Slice(words, func(i, j int) bool { return words[i] < words[j] })
	fmt.Println(most(all, func(a, b shape) bool { return a.area() < b.area() }), words)
}
