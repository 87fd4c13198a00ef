/* Runs the functions of the libraries it is given, as PATH FUNCTION pairs, in turn.
 * Prints their addresses first. */
#include <dlfcn.h>
#include <stdio.h>
#include <sys/mount.h>
#include <time.h>

#define MAX 16

int main(int argc, char **argv)
{
    unsigned (*work[MAX])(unsigned);
    int count = 0;
    /* What was the root before pivot_root. */
    umount2("/old", MNT_DETACH);
    for (int i = 1; i + 1 < argc && count < MAX; i += 2) {
        void *library = dlopen(argv[i], RTLD_NOW);
        work[count] = library ? (unsigned (*)(unsigned))dlsym(library, argv[i + 1]) : 0;
        if (!work[count]) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        printf("%lx ", (unsigned long)work[count++]);
    }
    printf("\n");
    fflush(stdout);
    /* It ends even if the test was killed and could not end it. */
    time_t end = time(0) + 600;
    for (unsigned x = 1; time(0) < end;)
        for (int i = 0; i < count; i++)
            x += work[i](x);
    return 0;
}
