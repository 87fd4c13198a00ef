package backsight

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// callers returns this goroutine's stack, and what the runtime of Go says of it.
//
//go:noinline
func callers() ([]uint64, []runtime.Frame) {
	raw := make([]uintptr, 32)
	raw = raw[:runtime.Callers(1, raw)]
	var stack []uint64
	var known []runtime.Frame
	for _, pc := range raw {
		// A function of the stack, without those inlined into it: those have their own frames.
		frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
		stack, known = append(stack, uint64(pc-1)), append(known, frame)
	}
	return stack, known
}

func open(t *testing.T) *Process {
	process, err := Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := process.Close(); err != nil {
			t.Error(err)
		}
	})
	return process
}

func TestTheRuntimeOfGoAgrees(t *testing.T) {
	process := open(t)
	stack, known := callers()
	answers, err := process.Symbolize(stack)
	if err != nil {
		t.Fatal(err)
	}
	places, err := process.Normalize(stack)
	if err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(stack) || len(places) != len(stack) || len(stack) < 3 {
		t.Fatalf("%d answers and %d places for %d addresses", len(answers), len(places), len(stack))
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for at, answer := range answers {
		if len(answer.Frames) == 0 {
			t.Fatalf("%v has no frames", answer)
		}
		frame := answer.Frames[0]
		if frame.Function != known[at].Function || frame.Line != known[at].Line || frame.File != known[at].File {
			t.Errorf("%v, but Go says %+v", answer, known[at])
		}
		if answer.Module == nil || answer.Module.Path != executable || places[at].Module == nil ||
			places[at].Module.Path != executable || places[at].FileOffset != answer.FileOffset {
			t.Errorf("%v is in %+v", answer, places[at])
		}
	}
}

func TestNoMappingIsAReason(t *testing.T) {
	process := open(t)
	answers, err := process.SymbolizeStack([]uint64{0x10})
	if err != nil || len(answers) != 1 || answers[0].Reason.String() != "unmapped" {
		t.Fatal(answers, err)
	}
	for _, none := range [][]uint64{nil, {}} {
		if answers, err := process.Symbolize(none); err != nil || len(answers) != 0 {
			t.Fatal(answers, err)
		}
	}
}

func TestNamesOnly(t *testing.T) {
	process, err := OpenWith(os.Getpid(), Options{NamesOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer process.Close()
	stack, known := callers()
	answers, err := process.Symbolize(stack)
	if err != nil || answers[0].Frames[0].Function != known[0].Function || answers[0].Frames[0].Line != 0 {
		t.Fatal(answers, err)
	}
}

func TestErrorsHaveKinds(t *testing.T) {
	// PIDs are below 2^22.
	_, err := Open(1<<22 + 1)
	var failed *Error
	if !errors.Is(err, ErrNoSuchProcess) || !errors.Is(err, syscall.ESRCH) || errors.Is(err, ErrDenied) ||
		!errors.As(err, &failed) || failed.Status != "no-such-process" || !strings.Contains(err.Error(), "4194305") {
		t.Fatalf("%#v", err)
	}
	if _, err := ReadProfile("/no/such"); !errors.Is(err, syscall.ENOENT) {
		t.Fatalf("%#v", err)
	}
	if _, err := ReadProfile("/no/such\x00"); !errors.Is(err, syscall.EINVAL) {
		t.Fatalf("%#v", err)
	}
	if _, err := OpenWith(1, Options{ProcRoot: "/\x00"}); !errors.Is(err, syscall.EINVAL) {
		t.Fatalf("%#v", err)
	}
	process, err := Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for turn := 0; turn < 2; turn++ {
		if err := process.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := process.Symbolize([]uint64{1}); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if _, err := process.Normalize([]uint64{1}); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

func TestGoroutinesShareAProcess(t *testing.T) {
	process := open(t)
	var group sync.WaitGroup
	for worker := 0; worker < 8; worker++ {
		group.Add(1)
		go func() {
			defer group.Done()
			stack, known := callers()
			for turn := 0; turn < 20; turn++ {
				answers, err := process.Symbolize(stack)
				if err != nil || answers[0].Frames[0].Function != known[0].Function {
					t.Error(answers, err)
				}
			}
		}()
	}
	group.Wait()
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestWhatIsForgottenIsClosed(t *testing.T) {
	before := descriptors(t)
	func() {
		for turn := 0; turn < 20; turn++ {
			if _, err := OpenSession(os.Getpid()); err != nil {
				t.Fatal(err)
			}
		}
	}()
	if descriptors(t) < before+20 {
		t.Fatal("a session has no descriptor: nothing is tested")
	}
	for end := time.Now().Add(time.Minute); descriptors(t) > before; runtime.GC() {
		if time.Now().After(end) {
			t.Fatalf("%d descriptors are left of %d", descriptors(t), before)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAProfileIsReadAndWritten(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.folded"), filepath.Join(dir, "out.folded")
	text := "main;rest 2\nmain;work 3\n"
	if err := os.WriteFile(in, []byte(text+"main;no number\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	profile, err := ReadProfile(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := profile.Write(out); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(out)
	if err != nil || string(written) != text {
		t.Fatalf("%q %v", written, err)
	}
	if notes := profile.Notes(); len(notes) == 0 || !strings.Contains(strings.Join(notes, "\n"), "line 3") {
		t.Fatal(notes)
	}
	if err := profile.Write(filepath.Join(dir, "out.unknown")); !errors.Is(err, ErrFormat) {
		t.Fatal(err)
	}
	if err := profile.Close(); err != nil {
		t.Fatal(err)
	}
	if err := profile.Write(out); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}
