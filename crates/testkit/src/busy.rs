//! A program with known hot functions and known waits, to be sampled.

use std::path::PathBuf;

use crate::tools;

/// Its source code. `hot` takes three quarters of `work`, `warm` the rest. `nap` prints for how
/// many nanoseconds it slept.
const SOURCE: &str = r#"
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t read_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static uint64_t now(void) {
    return read_clock(CLOCK_MONOTONIC);
}

volatile uint64_t sink;

// Compilers leave out the frame pointer of functions that call none.
#ifdef WITH_FRAMES
#define FRAME ((uint64_t)__builtin_frame_address(0) & 1)
#else
#define FRAME 1
#endif

#define SPIN(name) \
    __attribute__((noinline)) void name(uint64_t turns) { \
        for (uint64_t i = 0; i < turns; i++) sink = sink * 31 + i; \
        sink += FRAME; \
    }
SPIN(hot)
SPIN(warm)

__attribute__((noinline)) void work(void) {
    hot(30000);
    warm(10000);
    sink++;
}

__attribute__((noinline)) void spin(uint64_t milliseconds) {
    uint64_t end = read_clock(CLOCK_PROCESS_CPUTIME_ID) + milliseconds * 1000000;
    while (read_clock(CLOCK_PROCESS_CPUTIME_ID) < end) work();
    sink++;
}

__attribute__((noinline)) uint64_t nap(long milliseconds) {
    struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
    uint64_t began = now();
    nanosleep(&time, 0);
    return now() - began;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *holder(void *milliseconds) {
    pthread_mutex_lock(&lock);
    nap((long)milliseconds);
    pthread_mutex_unlock(&lock);
    return 0;
}

__attribute__((noinline)) uint64_t blocked(long milliseconds) {
    pthread_t thread;
    pthread_create(&thread, 0, holder, (void *)milliseconds);
    nap(20);
    uint64_t began = now();
    pthread_mutex_lock(&lock);
    uint64_t took = now() - began;
    pthread_mutex_unlock(&lock);
    pthread_join(thread, 0);
    return took;
}

int main(int count, char **words) {
    uint64_t slept = 0;
    long number = count > 2 ? atol(words[2]) : 0;
    if (count > 2 && !strcmp(words[1], "spin")) spin(number);
    else if (count > 3 && !strcmp(words[1], "nap"))
        for (long i = 0; i < number; i++) slept += nap(atol(words[3]));
    else if (count > 4 && !strcmp(words[1], "both")) {
        spin(number);
        for (long i = 0; i < atol(words[3]); i++) slept += nap(atol(words[4]));
    }
    else if (count > 2 && !strcmp(words[1], "blocked")) slept = blocked(number);
    else return 2;
    printf("%llu\n", (unsigned long long)slept);
    return 0;
}
"#;

/// Compiles the program, with frame pointers or without.
///
/// `spin MS` calls `main`, `spin`, `work`, and there `hot` and `warm`, for so many milliseconds of
/// processor time. `nap TIMES MS` sleeps, `both MS TIMES MS` does one after the other, and
/// `blocked MS` waits for a lock that another thread holds; they print for how many nanoseconds.
///
/// # Errors
/// What the compiler had to say, or that there is none.
pub fn busy(has_frame_pointers: bool) -> Result<PathBuf, String> {
    let (name, flags): (_, &[&str]) = match has_frame_pointers {
        true => ("busy-fp", &["-fno-omit-frame-pointer", "-DWITH_FRAMES"]),
        false => ("busy", &["-fomit-frame-pointer"]),
    };
    let flags = [flags, &["-fno-optimize-sibling-calls", "-pthread"]].concat();
    tools::compile(name, SOURCE, &flags)
}
