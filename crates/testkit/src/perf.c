/* What `perf record` looks at: code of known names, in processes that fork, exec and
 * have threads. Usage: perf spin|forks|threads|files TURNS */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) unsigned leaf(unsigned x)
{
    for (int i = 0; i < 300; i++)
        x = x * 1103515245 + 12345;
    return x;
}

__attribute__((noinline)) unsigned other_leaf(unsigned x)
{
    for (int i = 0; i < 200; i++)
        x = (x ^ (x << 7)) + i;
    return x;
}

__attribute__((noinline)) unsigned middle(unsigned x)
{
    unsigned sum = leaf(x);
    sum += other_leaf(x + 1);
    return sum + 1;
}

static long turns;
static volatile unsigned sink;

__attribute__((noinline)) void *spin(void *unused)
{
    char block[4096];
    unsigned x = 1;
    (void)unused;
    for (long i = 0; i < turns; i++) {
        x += middle(x);
        memset(block, (int)x, sizeof block);
        x += (unsigned)block[x & 4095];
        if (i % 512 == 0) {
            char *fresh = mmap(0, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (fresh != MAP_FAILED) {
                memset(fresh, 1, 1 << 16);
                munmap(fresh, 1 << 16);
            }
        }
    }
    sink += x;
    return 0;
}

static void *named(void *name)
{
    pthread_setname_np(pthread_self(), name);
    return spin(0);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "spin";
    turns = argc > 2 ? atol(argv[2]) : 10000;
    if (strcmp(what, "forks") == 0) {
        for (int i = 0; i < 4; i++) {
            pid_t child = fork();
            if (child == 0) {
                spin(0);
                if (i % 2 == 0)
                    execl("/proc/self/exe", "again", "spin", argv[2], (char *)0);
                _exit(0);
            }
        }
        while (wait(0) > 0)
            ;
        return 0;
    }
    if (strcmp(what, "threads") == 0) {
        pthread_t threads[3];
        char *names[] = {"one", "two (2)", "three three"};
        for (int i = 0; i < 3; i++)
            pthread_create(&threads[i], 0, named, names[i]);
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], 0);
        return 0;
    }
    spin(0);
    return 0;
}
