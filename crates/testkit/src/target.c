/* Prints the addresses of its own stack, and waits until its standard input ends. */
#include <execinfo.h>
#include <stdio.h>
#include <unistd.h>

static int depth;

__attribute__((always_inline)) static inline void inlined(void) {
  void *stack[64];
  int count = backtrace(stack, 64);
  printf("%p", (char *)stack[0]);
  for (int i = 1; i < count; i++) printf(" %p", stack[i]);
  putchar('\n');
  fflush(stdout);
}

__attribute__((noinline)) void outer(int turns) {
  if (turns > 0) outer(turns - 1);
  else inlined();
  depth++;
}

int main(void) {
  outer(3);
  char byte;
  return read(0, &byte, 1) != 0 || depth != 4;
}
