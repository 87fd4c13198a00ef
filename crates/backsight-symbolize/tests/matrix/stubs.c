/* Calls into a library, through stubs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) static char *copied(const char *text, int more) {
    char *room = malloc(strlen(text) + more);
    if (!room)
        abort();
    return strcpy(room, text);
}

int main(int count, char **args) {
    int (*volatile through)(const char *) = puts;
    through("x");
    char *text = copied(args[0], count + 100);
    printf("%d %s\n", count, text);
    puts(getenv("HOME"));
    qsort(text, strlen(text), 1, (int (*)(const void *, const void *))strcmp);
    free(text);
    return atoi(args[0]);
}
