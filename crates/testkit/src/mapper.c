/* Maps the code of libraries from inside an archive, and runs it, as Android does.
 *
 *   mapper ARCHIVE TURNS [OFFSET SIZE FUNCTION]...
 *
 * OFFSET is that of the code in the archive, FUNCTION that of a function in the code, all in
 * hexadecimal. Prints "START FUNCTION" of each library, as addresses; then, with TURNS of 0,
 * waits for the end of stdin, otherwise calls each function TURNS times. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

typedef int function(int);

static function *functions[16];

__attribute__((noinline)) static int call_all(int count, int turns)
{
	int sum = 0;
	for (int turn = 0; turn < turns; turn++)
		for (int at = 0; at < count; at++)
			sum += functions[at](turn);
	return sum;
}

int main(int argc, char **argv)
{
	int file = open(argv[1], O_RDONLY), turns = atoi(argv[2]), count = 0;
	for (int at = 3; at + 2 < argc && count < 16; at += 3) {
		unsigned long offset = strtoul(argv[at], NULL, 16);
		unsigned long size = strtoul(argv[at + 1], NULL, 16);
		char *start = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, offset);
		if (start == MAP_FAILED)
			return perror("mmap"), 1;
		functions[count] = (function *)(start + strtoul(argv[at + 2], NULL, 16));
		printf("%p %p\n", (void *)start, (void *)functions[count++]);
	}
	fflush(stdout);
	if (turns > 0)
		return call_all(count, turns) == 42;
	while (getchar() != EOF)
		;
	return 0;
}
