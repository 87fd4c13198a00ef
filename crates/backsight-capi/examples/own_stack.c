/* Prints the stack of the calling thread, as a failed assertion would.
 *
 *     cc -g own_stack.c $(pkg-config --cflags --libs backsight) -o own_stack
 */
#include <backsight.h>
#include <stdio.h>

__attribute__((noinline)) static void print_stack(backsight_process *self, backsight_answers *answers) {
  if (backsight_self_stack(self, 1, answers)) fprintf(stderr, "%s\n", backsight_last_error());
  for (const backsight_answer *a = backsight_answers_first(answers); a; a = a->next)
    for (const backsight_frame *frame = a->frames; frame; frame = frame->next)
      printf("%s %s:%u\n", frame->function.data, frame->file.data ? frame->file.data : "?", frame->line);
}

int main(void) {
  backsight_process *self = NULL;
  backsight_answers *answers = NULL;
  if (backsight_self_open(NULL, &self) || backsight_answers_new(&answers)) return 1;
  print_stack(self, answers);
  backsight_answers_free(answers);
  backsight_process_close(self);
}
