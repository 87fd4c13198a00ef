/* Process 1 of a guest: mounts what tests need, runs each suite, says how it ended,
 * and reboots, on which the emulator quits.
 *
 * What it says stands on lines of its own, each beginning with "@@ ":
 *
 *   @@ kernel RELEASE MACHINE
 *   @@ ioctl answers        or: @@ ioctl refused ERRNO
 *   @@ module NAME loaded   or: @@ module NAME refused ERRNO
 *   @@ begin NAME
 *   @@ end NAME STATUS      128 and the signal, if one ended it
 *   @@ done
 *
 * /suites/list has a line for each suite: its name and the folder of its crate, where
 * it runs as under cargo.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static void mounted(const char *kind, const char *where)
{
	mkdir(where, 0755);
	if (mount(kind, where, kind, 0, NULL) && errno != EBUSY)
		printf("%s: %s\n", where, strerror(errno));
}

/* _IOWR('f', 17, struct procmap_query), asked for the first VMA. */
static void ask_the_ioctl(void)
{
	unsigned long long query[13] = {sizeof query, 0x10 /* COVERING_OR_NEXT */};
	int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (ioctl(maps, 0xc0686611, query) == 0)
		printf("@@ ioctl answers\n");
	else
		printf("@@ ioctl refused %d\n", errno);
	close(maps);
}

/* /modules has a line for each module: its name and its file. */
static void load_modules(void)
{
	static char line[1024];
	FILE *list = fopen("/modules", "re");
	while (list && fgets(line, sizeof line, list)) {
		char *rest = line, *name = strsep(&rest, " \n"), *path = strsep(&rest, "\n");
		if (!name || !path)
			continue;
		int file = open(path, O_RDONLY | O_CLOEXEC);
		if (syscall(SYS_finit_module, file, "", 0) == 0)
			printf("@@ module %s loaded\n", name);
		else
			printf("@@ module %s refused %d\n", name, errno);
		close(file);
	}
	if (list)
		fclose(list);
}

static void run(const char *name, const char *dir)
{
	char program[512];
	int status = 0;
	snprintf(program, sizeof program, "/suites/%s", name);
	printf("@@ begin %s\n", name);
	pid_t ended, suite = fork();
	if (suite == 0) {
		if (chdir(dir) || setenv("CARGO_MANIFEST_DIR", dir, 1))
			_exit(126);
		/* On one thread libtest runs tests without their names. */
		execl(program, program, "--color", "never", "--test-threads", "2", (char *)NULL);
		_exit(127);
	}
	/* Others that end meanwhile are orphans, which are process 1's to reap. */
	while ((ended = wait(&status)) != suite && ended > 0)
		;
	/* A line that the suite left open ends here. */
	printf("\n@@ end %s %d\n", name,
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int main(void)
{
	static char line[1024];
	struct utsname self;
	mounted("proc", "/proc");
	mounted("sysfs", "/sys");
	mounted("devtmpfs", "/dev");
	mounted("tmpfs", "/dev/shm");
	mounted("tmpfs", "/tmp");
	chmod("/tmp", 01777);
	/* The kernel opened the console; a suite shall not read from it. */
	if (dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0))
		printf("/dev/null: %s\n", strerror(errno));
	/* The kernel's warnings do not stand between a suite's words; a crash is printed. */
	klogctl(8 /* SYSLOG_ACTION_CONSOLE_LEVEL */, NULL, 1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	setenv("PATH", "/usr/bin", 1);
	setenv("TMPDIR", "/tmp", 1);
	setenv("RUST_BACKTRACE", "1", 1);
	uname(&self);
	printf("\n@@ kernel %s %s\n", self.release, self.machine);
	ask_the_ioctl();
	load_modules();
	FILE *list = fopen("/suites/list", "re");
	while (list && fgets(line, sizeof line, list)) {
		char *rest = line, *name = strsep(&rest, " \n"), *dir = strsep(&rest, "\n");
		if (name && dir)
			run(name, dir);
	}
	printf("@@ done\n");
	fflush(stdout);
	sync();
	reboot(RB_AUTOBOOT);
	return 0;
}
