/* Names a stack of a live process: name_stack PID ADDRESS..., innermost first.
 *
 *     cc name_stack.c $(pkg-config --cflags --libs backsight) -o name_stack
 */
#include <backsight.h>
#include <stdio.h>
#include <stdlib.h>

static void print(const backsight_answer *answer) {
  printf("%#-18llx ", (unsigned long long)answer->address);
  if (!answer->frames) printf("[%s]\n", backsight_reason_name(answer->reason));
  for (const backsight_frame *frame = answer->frames; frame; frame = frame->next) {
    printf("%*s%s", frame == answer->frames ? 0 : 19, "", frame->function.data);
    if (frame->flags & BACKSIGHT_FRAME_INLINED) printf(" [inlined]");
    if (frame->flags & BACKSIGHT_FRAME_OFFSET) printf("+0x%llx", (unsigned long long)frame->offset);
    if (frame->file.data) printf("  %s:%u", frame->file.data, frame->line);
    if (frame->column) printf(":%u", frame->column);
    if (!frame->next) printf("  (%s)", answer->module->path.data);
    putchar('\n');
  }
}

int main(int argc, char **argv) {
  uint64_t addresses[256];
  size_t count = 0;
  for (int i = 2; i < argc && count < 256; i++) addresses[count++] = strtoull(argv[i], NULL, 0);
  backsight_process *process = NULL;
  backsight_answers *answers = NULL;
  if (backsight_process_open(atoi(argv[1]), NULL, &process) || backsight_answers_new(&answers) ||
      backsight_process_symbolize(process, addresses, count, BACKSIGHT_ADDRESSES_STACK, answers))
    return fprintf(stderr, "%s\n", backsight_last_error()), EXIT_FAILURE;
  for (const backsight_answer *a = backsight_answers_first(answers); a; a = a->next) print(a);
  backsight_answers_free(answers);
  backsight_process_close(process);
}
