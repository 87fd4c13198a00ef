// Threads in signal handlers, on other stacks, deep in a recursion, and in leaf functions.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static sem_t begun;
static volatile int never;
static int depth = 3000;

__attribute__((noinline)) static void waits(void) {
    sem_post(&begun);
    for (;;) pause();
}

__attribute__((noinline)) static void handler(int number) {
    waits();
    never += number;
}

__attribute__((noinline)) static void *interrupted(void *unused) {
    raise(SIGUSR1);
    never++;
    return unused;
}

__attribute__((noinline)) static void *on_other_stack(void *unused) {
    stack_t other = {.ss_size = 65536};
    other.ss_sp = mmap(0, other.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&other, 0);
    raise(SIGUSR2);
    never++;
    return unused;
}

__attribute__((noinline)) static int recurses(int left) {
    volatile char room[200];
    memset((char *)room, left, sizeof room);
    if (left == 0) waits();
    else recurses(left - 1);
    return room[left % 200] + never;
}

__attribute__((noinline)) static void *goes_deep(void *unused) {
    never += recurses(depth);
    return unused;
}

__attribute__((noinline)) static unsigned spins(unsigned n) {
    while (!never) n = n * 3 + 1;
    return n;
}

__attribute__((noinline)) static void *is_in_leaf(void *unused) {
    sem_post(&begun);
    never += spins(1);
    return unused;
}

__attribute__((noinline)) static void *asks_clock(void *unused) {
    sem_post(&begun);
    struct timespec now;
    while (!never) clock_gettime(CLOCK_MONOTONIC, &now);
    return unused;
}

int main(int count, char **args) {
    struct {
        const char *name;
        void *(*run)(void *);
    } ways[] = {
        {"interrupted", interrupted}, {"otherstack", on_other_stack}, {"deep", goes_deep},
        {"leaf", is_in_leaf},         {"clock", asks_clock},
    };
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, 0);
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR2, &action, 0);
    sem_init(&begun, 0, 0);
    for (int i = 1; i < count; i++)
        for (unsigned way = 0; way < sizeof ways / sizeof *ways; way++) {
            if (strcmp(args[i], ways[way].name)) continue;
            pthread_t thread;
            pthread_create(&thread, 0, ways[way].run, 0);
            pthread_setname_np(thread, ways[way].name);
            sem_wait(&begun);
        }
    puts("ready");
    fflush(stdout);
    if (!strcmp(args[count - 1], "leaves")) pthread_exit(0);
    for (;;) pause();
}
