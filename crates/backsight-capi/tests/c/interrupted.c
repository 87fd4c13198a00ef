/* Signals in the middle of calls, handles used by several threads, and forks with open handles. */
#define _GNU_SOURCE
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TURNS = 40, THREADS = 4 };

static volatile sig_atomic_t signals;
static void count(int signal) {
  (void)signal;
  signals++;
}

static backsight_process *self;
static backsight_session *session;

static void ask(backsight_answers *answers) {
  uint64_t addresses[] = {(uint64_t)(uintptr_t)ask, 0x10, (uint64_t)(uintptr_t)count};
  backsight_place places[3];
  OK(backsight_session_normalize(session, addresses, 3, places));
  CHECK(places[0].reason == 0 && places[1].reason == BACKSIGHT_REASON_UNMAPPED);
  CHECK(places[0].module == places[2].module);
  OK(backsight_process_symbolize(self, addresses, 3, BACKSIGHT_ADDRESSES_EXACT, answers));
  const backsight_answer *answer = backsight_answers_first(answers);
  CHECK(backsight_answers_count(answers) == 3);
  CHECK(strcmp(answer->frames->function.data, "ask") == 0);
  CHECK(answer->next->frames == NULL && answer->next->reason == BACKSIGHT_REASON_UNMAPPED);
  CHECK(strcmp(answer->next->next->frames->function.data, "count") == 0);
}

static void *asks(void *unused) {
  (void)unused;
  backsight_answers *answers;
  OK(backsight_answers_new(&answers));
  for (int i = 0; i < TURNS; i++) ask(answers);
  OK(backsight_answers_free(answers));
  return NULL;
}

static void opens_and_closes(void) {
  OK(backsight_self_open(NULL, &self));
  OK(backsight_session_open_self(NULL, &session));
  asks(NULL);
  OK(backsight_process_close(self));
  OK(backsight_session_close(session));
}

/* A handler without SA_RESTART, a thousand times a second. */
static void interrupted(void) {
  struct sigaction action = {.sa_handler = count};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
  CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
  for (int i = 0; i < 1000 && signals < 200; i++) opens_and_closes();
  CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
  CHECK(signals >= 200);
}

static void shared(void) {
  pthread_t threads[THREADS];
  OK(backsight_self_open(NULL, &self));
  OK(backsight_session_open_self(NULL, &session));
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, asks, NULL) == 0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

/* In the child all handles of the parent are refused, and new ones work: also such as start
 * threads, which a child does not have. */
static void forked(void) {
  backsight_answers *answers;
  OK(backsight_answers_new(&answers));
  ask(answers);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    alarm(60); /* rather than hang */
    uint64_t address = (uint64_t)(uintptr_t)ask;
    backsight_place place;
    IS(backsight_session_normalize(session, &address, 1, &place), BACKSIGHT_ERROR_FORKED);
    SAYS("before this process was forked");
    IS(backsight_self_stack(self, 0, answers), BACKSIGHT_ERROR_FORKED);
    IS(backsight_answers_free(answers), BACKSIGHT_ERROR_FORKED);
    IS(backsight_process_close(self), BACKSIGHT_ERROR_FORKED);
    CHECK(backsight_answers_first(answers) == NULL);
    opens_and_closes();
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  ask(answers);
  OK(backsight_answers_free(answers));
  OK(backsight_process_close(self));
  OK(backsight_session_close(session));
}

int main(void) {
  interrupted();
  shared();
  forked();
  puts("fine");
}
