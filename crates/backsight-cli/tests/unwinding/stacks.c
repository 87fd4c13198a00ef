/* Code whose callers are hard to find, for tests of unwinding. Usage: stacks WAY TURNS */
#define _GNU_SOURCE
#include <alloca.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* So many turns take a microsecond or so. */
#ifndef BURN
#define BURN 2000
#endif

static volatile unsigned long sink, turns_done;

__attribute__((noipa)) unsigned long burn(unsigned long x)
{
    for (int i = 0; i < BURN; i++)
        x = x * 6364136223846793005ul + 1442695040888963407ul;
    return x;
}

/* The return address of vfork lives in a register while the child runs. */
__attribute__((noipa)) void vforks(long turns)
{
    for (long i = 0; i < turns; i++) {
        pid_t child = vfork();
        if (child == 0)
            _exit(0);
        waitpid(child, 0, 0);
        sink += burn(i) & 1;
    }
    sink++;
}

/* A stack that is aligned anew, with memory whose size is known at run time. */
__attribute__((noipa)) void spread(long i)
{
    char block[128] __attribute__((aligned(64)));
    char *more = alloca(16 + (i & 15));
    memset(block, (int)i, sizeof block);
    memset(more, (int)i, 16);
    sink += burn(i) + block[i & 127] + more[3];
}

__attribute__((noipa)) void aligned(long turns)
{
    for (long i = 0; i < turns; i++)
        spread(i);
    sink++;
}

static void handler(int number)
{
    sink += burn(number);
}

/* The kernel's frame lies between the handler and who was interrupted. */
__attribute__((noipa)) void signals(long turns)
{
    for (long i = 0; i < turns; i++) {
        sink += burn(i);
        raise(SIGUSR1);
    }
    sink++;
}

static int compare(const void *a, const void *b)
{
    sink += burn(*(const unsigned *)a);
    return *(const int *)a - *(const int *)b;
}

/* Through the C library and back. */
__attribute__((noipa)) void sorts(long turns)
{
    for (long i = 0; i < turns; i++) {
        int numbers[32];
        for (int n = 0; n < 32; n++)
            numbers[n] = (n * 7919 + (int)i) % 101;
        qsort(numbers, 32, sizeof *numbers, compare);
        sink += numbers[3];
    }
    sink++;
}

__attribute__((noipa)) unsigned long deep(int depth)
{
    if (depth == 0)
        return burn(turns_done);
    return deep(depth - 1) * 3 + 1;
}

__attribute__((noipa)) void deeps(long turns)
{
    for (long i = 0; i < turns; i++)
        sink += deep(40);
    sink++;
}

/* Code without CFI, that has numbers on its stack which are none of return addresses and
 * a frame pointer that is none. */
__asm__(".text\n.p2align 4\n.globl bare\n.type bare,@function\nbare:\n"
#ifdef __x86_64__
        "  push %rbp\n  push %rbx\n  mov $0x1234567890abcdef, %rax\n  push %rax\n  push $1\n"
        "  push %rax\n  mov %rsp, %rbp\n  mov $3000, %rcx\n"
        "1: imul %rcx, %rax\n  dec %rcx\n  jnz 1b\n"
        "  add $24, %rsp\n  pop %rbx\n  pop %rbp\n  ret\n"
#else
        "  ret\n"
#endif
        ".size bare,.-bare\n");
void bare(void);

__attribute__((noipa)) void bares(long turns)
{
    for (long i = 0; i < turns; i++)
        bare();
    sink++;
}

int main(int count, char **args)
{
    static const struct {
        const char *name;
        void (*run)(long);
    } ways[] = {{"vforks", vforks}, {"aligned", aligned}, {"signals", signals},
                {"sorts", sorts},   {"deeps", deeps},     {"bares", bares}};
    long turns = count > 2 ? atol(args[2]) : 1;
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, 0);
    for (unsigned n = 0; n < sizeof ways / sizeof *ways; n++)
        if (count > 1 && !strcmp(args[1], ways[n].name))
            ways[n].run(turns);
    return 0;
}
