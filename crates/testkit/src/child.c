/* A process that arranges its memory as it is told, and stands still meanwhile.
 *
 * One command a line on stdin, words separated by spaces, numbers in hexadecimal,
 * file names as pairs of hexadecimal digits. One line in answer to each:
 *
 *   ok START END      what the command made, or 0 0
 *   no ERRNO STEP     it failed
 *
 * child.rs is the other side. The end of stdin ends the process.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef unsigned long long u64;

#define MAX_WORDS 8
#define PR_SET_VMA_ 0x53564d41 /* PR_SET_VMA and _ANON_NAME: not in old headers */

static u64 page;

static void ok(u64 start, u64 end) { printf("ok %llx %llx\n", start, end); }
static void ok_at(void *start, u64 len) { ok((uintptr_t)start, (uintptr_t)start + len); }
static void no(const char *step) { printf("no %d %s\n", errno, step); }

static u64 number(const char *word) { return strtoull(word, NULL, 16); }
static u64 pages_up(u64 len) { return (len + page - 1) / page * page; }

/* Digit pairs to bytes, in place; "-" is the empty name. */
static char *name(char *digits)
{
	char *to = digits;
	unsigned byte;
	if (digits[0] != '-')
		for (char *from = digits; sscanf(from, "%2x", &byte) == 1; from += 2)
			*to++ = (char)byte;
	*to = 0;
	return digits;
}

static int prot(const char *perms)
{
	return (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
	       (perms[2] == 'x' ? PROT_EXEC : 0);
}

static int sharing(const char *perms) { return perms[3] == 's' ? MAP_SHARED : MAP_PRIVATE; }

static int open_for(const char *perms, const char *path)
{
	int writes = perms[1] == 'w' && perms[3] == 's';
	return open(path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);
}

/* map PATH PERMS OFFSET LEN AT: a length of 0 is the file's, an AT of 0 anywhere. */
static void map(char **word)
{
	const char *perms = word[2];
	u64 offset = number(word[3]), len = number(word[4]), at = number(word[5]);
	struct stat st;
	int fd = open_for(perms, name(word[1]));
	if (fd < 0 || fstat(fd, &st))
		return no("open");
	if (!len)
		len = (u64)st.st_size - offset;
	/* Not reserved: a file of huge pages needs none to be there. */
	int flags = sharing(perms) | (at ? MAP_FIXED : 0) | MAP_NORESERVE;
	void *start = mmap((void *)(uintptr_t)at, len, prot(perms), flags, fd, (off_t)offset);
	int why = errno;
	close(fd);
	errno = why;
	if (start == MAP_FAILED)
		return no("mmap");
	ok_at(start, pages_up(len));
}

/* anon PERMS LEN HUGE */
static void anon(char **word)
{
	u64 len = number(word[2]);
	int huge = number(word[3]) ? MAP_HUGETLB | MAP_NORESERVE : 0;
	void *start = mmap(NULL, len, prot(word[1]), sharing(word[1]) | MAP_ANONYMOUS | huge, -1, 0);
	if (start == MAP_FAILED)
		return no("mmap");
	ok_at(start, pages_up(len));
}

/* name START END NAME: CONFIG_ANON_VMA_NAME */
static void name_anon(char **word)
{
	u64 start = number(word[1]), end = number(word[2]);
	if (prctl(PR_SET_VMA_, 0, (unsigned long)start, (unsigned long)(end - start), name(word[3])))
		return no("prctl");
	ok(start, end);
}

/* memfd NAME PERMS PATH: filled with the bytes of the file PATH */
static void memfd(char **word)
{
	static char bytes[65536];
	ssize_t len;
	u64 total = 0;
	int from = open(name(word[3]), O_RDONLY | O_CLOEXEC);
	int fd = (int)syscall(SYS_memfd_create, name(word[1]), 1 /* MFD_CLOEXEC */);
	if (from < 0 || fd < 0)
		return no("open");
	for (; (len = read(from, bytes, sizeof bytes)) > 0; total += (u64)len)
		if (write(fd, bytes, (size_t)len) != len)
			return no("write");
	void *start = mmap(NULL, total, prot(word[2]), sharing(word[2]), fd, 0);
	if (start == MAP_FAILED)
		return no("mmap");
	close(from);
	close(fd);
	ok_at(start, pages_up(total));
}

/* memfd_huge NAME PERMS LEN: of huge pages that are not reserved; nobody may touch them */
static void memfd_huge(char **word)
{
	u64 len = number(word[3]);
	int fd = (int)syscall(SYS_memfd_create, name(word[1]), 5 /* MFD_CLOEXEC, MFD_HUGETLB */);
	if (fd < 0 || ftruncate(fd, (off_t)len))
		return no("open");
	void *start = mmap(NULL, len, prot(word[2]), sharing(word[2]) | MAP_NORESERVE, fd, 0);
	if (start == MAP_FAILED)
		return no("mmap");
	close(fd);
	ok_at(start, len);
}

/* sysv PERMS LEN */
static void sysv(char **word)
{
	u64 len = number(word[2]);
	int id = shmget(IPC_PRIVATE, len, IPC_CREAT | 0700);
	if (id < 0)
		return no("shmget");
	int flags = (prot(word[1]) & PROT_EXEC ? SHM_EXEC : 0) |
		    (prot(word[1]) & PROT_WRITE ? 0 : SHM_RDONLY);
	void *start = shmat(id, NULL, flags);
	int why = errno;
	shmctl(id, IPC_RMID, NULL);
	errno = why;
	if (start == (void *)-1)
		return no("shmat");
	ok_at(start, pages_up(len));
}

static void *reserve(u64 len)
{
	return mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* layout PATH COUNT: COUNT VMAs as a loader leaves them, in groups of five: the
 * file's first pages r--, r-x, r-- and rw-, and one rw- page without a file. */
static void layout(char **word)
{
	static const char *perms[] = {"r--p", "r-xp", "r--p", "rw-p", "rw-p"};
	u64 count = number(word[2]);
	int fd = open(name(word[1]), O_RDONLY | O_CLOEXEC);
	char *area = reserve(count * page);
	if (fd < 0 || area == MAP_FAILED)
		return no("reserve");
	for (u64 i = 0; i < count; i++) {
		int anonymous = i % 5 == 4;
		if (mmap(area + i * page, page, prot(perms[i % 5]),
			 MAP_PRIVATE | MAP_FIXED | (anonymous ? MAP_ANONYMOUS : 0),
			 anonymous ? -1 : fd, anonymous ? 0 : (off_t)(i % 5 * page)) == MAP_FAILED)
			return no("mmap");
	}
	close(fd);
	ok_at(area, count * page);
}

/* gaps PATH COUNT: every other page of the area is the file's first, r-x. */
static void gaps(char **word)
{
	u64 count = number(word[2]);
	int fd = open(name(word[1]), O_RDONLY | O_CLOEXEC);
	char *area = reserve(2 * count * page);
	if (fd < 0 || area == MAP_FAILED || munmap(area, 2 * count * page))
		return no("reserve");
	for (u64 i = 0; i < count; i++)
		if (mmap(area + 2 * i * page, page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd,
			 0) == MAP_FAILED)
			return no("mmap");
	close(fd);
	ok_at(area, 2 * count * page);
}

/* protect START END PERMS */
static void protect(char **word)
{
	u64 start = number(word[1]), end = number(word[2]);
	if (mprotect((void *)(uintptr_t)start, end - start, prot(word[3])))
		return no("mprotect");
	ok(start, end);
}

/* unmap START END */
static void unmap(char **word)
{
	u64 start = number(word[1]), end = number(word[2]);
	if (munmap((void *)(uintptr_t)start, end - start))
		return no("munmap");
	ok(start, end);
}

/* Text of several pages, so that a part of it can be moved, and after it whole pages that
 * nothing runs, so that they can be unmapped. */
__asm__(".pushsection .text\n\t.balign 4096\n\t.skip 16384\n\t.popsection");
__asm__(".pushsection after_text,\"ax\",%progbits\n\t.skip 8192\n\t.popsection");

/* remap START END: a copy in anonymous memory takes the place of the pages, as programs do that
 * move their text to huge pages. It may be the code that runs here. */
static void remap(char **word)
{
	u64 start = number(word[1]), len = number(word[2]) - start;
	void *at = (void *)(uintptr_t)start;
	void *copy = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED)
		return no("mmap");
	memcpy(copy, at, len);
	if (mprotect(copy, len, PROT_READ | PROT_EXEC))
		return no("mprotect");
	if (mremap(copy, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED)
		return no("mremap");
	ok(start, start + len);
}

/* poke START END: inverts the bytes of private pages, which become writable */
static void poke(char **word)
{
	u64 start = number(word[1]), end = number(word[2]), first = start / page * page;
	if (mprotect((void *)(uintptr_t)first, pages_up(end - first),
		     PROT_READ | PROT_WRITE | PROT_EXEC))
		return no("mprotect");
	for (u64 at = start; at < end; at++)
		*(unsigned char *)(uintptr_t)at ^= 0xff;
	ok(start, end);
}

/* heap LEN */
static void heap(char **word)
{
	u64 len = number(word[1]);
	void *start = sbrk((intptr_t)len);
	if (start == (void *)-1)
		return no("sbrk");
	ok_at(start, len);
}

/* stack: a page that holds a local variable */
static void stack(char **word)
{
	u64 here = (uintptr_t)&word / page * page;
	ok(here, here + page);
}

static char *churned;
#define CHURNED 64

static void *churn_for_ever(void *unused)
{
	for (unsigned i = 0;; i = i * 5 + 1) {
		char *at = churned + i / 7 % CHURNED * page;
		int perms = i % 3 ? PROT_READ | PROT_EXEC : PROT_READ;
		if (i % 2)
			mprotect(at, page, perms);
		else if (i % 4)
			munmap(at, page);
		else
			mmap(at, page, perms, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	}
	return unused;
}

/* churn: a thread maps, unmaps and protects pages of the area without end */
static void churn(char **word)
{
	pthread_t thread;
	churned = reserve(CHURNED * page);
	if (churned == MAP_FAILED)
		return no("reserve");
	if ((errno = pthread_create(&thread, NULL, churn_for_ever, word)))
		return no("thread");
	ok_at(churned, CHURNED * page);
}

/* fork: a copy of this process that ends with it; START is its pid */
static void copy(void)
{
	pid_t parent = getpid(), pid = fork();
	if (pid < 0)
		return no("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent)
			sleep(1);
		_exit(0);
	}
	ok((u64)pid, (u64)pid);
}

#if defined(__x86_64__)
/* An instruction that runs elsewhere when it is probed, and the five-byte one that
 * Linux 6.18 turns into a call. */
__asm__(".pushsection .text\n.balign 16\n"
	"displaced:\tmov $1, %eax\n\tret\n.balign 16\n"
	"five_bytes:\t.byte 0x0f, 0x1f, 0x44, 0, 0\n\tret\n.popsection\n");
extern void displaced(void), five_bytes(void);

/* Puts into *data the offset in our file of the address that it holds. */
static int to_offset(struct dl_phdr_info *program, size_t size, void *data)
{
	u64 *at = data, address = *at;
	for (int i = 0; i < program->dlpi_phnum && size; i++) {
		const ElfW(Phdr) *it = &program->dlpi_phdr[i];
		u64 into = address - program->dlpi_addr - it->p_vaddr;
		if (it->p_type == PT_LOAD && into < it->p_filesz)
			*at = into + it->p_offset;
	}
	return 1; /* the program alone, which comes first */
}

/* uprobe FIVE: probes a function of this program and calls it often enough for the
 * kernel to map what it needs. The probe stays. */
static void uprobe(char **word)
{
	void (*function)(void) = number(word[1]) ? five_bytes : displaced;
	u64 at = (uintptr_t)function;
	dl_iterate_phdr(to_offset, &at);
	FILE *type = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	struct perf_event_attr attr = {.size = sizeof attr};
	if (!type || fscanf(type, "%u", &attr.type) != 1)
		return no("type");
	fclose(type);
	attr.config1 = (uintptr_t) "/proc/self/exe";
	attr.config2 = at;
	if (syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) < 0)
		return no("perf_event_open");
	for (int i = 0; i < 20; i++)
		function();
	ok((uintptr_t)function, (uintptr_t)function + 1);
}
#else
static void uprobe(char **word) { errno = ENOSYS, no(*word); }
#endif

static void obey(void);

static void *obey_on(void *unused)
{
	obey();
	exit(0);
	return unused;
}

/* leader: the first thread ends, another goes on; START is its tid */
static void leave(void)
{
	pthread_t thread;
	if ((errno = pthread_create(&thread, NULL, obey_on, NULL)))
		return no("thread");
	syscall(SYS_exit, 0);
}

static void command(char **word)
{
	const char *verb = word[0];
	if (!strcmp(verb, "map")) map(word);
	else if (!strcmp(verb, "anon")) anon(word);
	else if (!strcmp(verb, "name")) name_anon(word);
	else if (!strcmp(verb, "memfd")) memfd(word);
	else if (!strcmp(verb, "memfd_huge")) memfd_huge(word);
	else if (!strcmp(verb, "sysv")) sysv(word);
	else if (!strcmp(verb, "layout")) layout(word);
	else if (!strcmp(verb, "gaps")) gaps(word);
	else if (!strcmp(verb, "protect")) protect(word);
	else if (!strcmp(verb, "unmap")) unmap(word);
	else if (!strcmp(verb, "remap")) remap(word);
	else if (!strcmp(verb, "poke")) poke(word);
	else if (!strcmp(verb, "heap")) heap(word);
	else if (!strcmp(verb, "stack")) stack(word);
	else if (!strcmp(verb, "churn")) churn(word);
	else if (!strcmp(verb, "fork")) copy();
	else if (!strcmp(verb, "uprobe")) uprobe(word);
	else if (!strcmp(verb, "leave")) leave();
	else if (!strcmp(verb, "close")) prctl(PR_SET_DUMPABLE, 0), ok(0, 0);
	else if (!strcmp(verb, "exec")) {
		execl(name(word[1]), "child", (char *)NULL);
		no("exec");
	} else if (!strcmp(verb, "exit")) _exit((int)number(word[1]));
	else errno = ENOSYS, no(verb);
}

static void obey(void)
{
	static char line[65536];
	while (fgets(line, sizeof line, stdin)) {
		char *word[MAX_WORDS] = {"", "", "", "", "", "", "", ""}, *rest = line;
		for (int i = 0; i < MAX_WORDS && (word[i] = strsep(&rest, " \n")); i++)
			;
		for (int i = 0; i < MAX_WORDS; i++)
			if (!word[i])
				word[i] = "";
		command(word);
	}
}

/* With an argument: the user to become. It stays dumpable, so that another
 * process of that user may look at it. */
int main(int argc, char **argv)
{
	page = (u64)sysconf(_SC_PAGESIZE);
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* What follows an exec command is for the next program: read no further. */
	setvbuf(stdin, NULL, _IONBF, 0);
	uid_t uid = argc > 1 ? (uid_t)number(argv[1]) : 0;
	if (uid && (setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
		no("setresuid");
	else {
		prctl(PR_SET_DUMPABLE, 1);
		ok(0, 0);
		obey();
	}
	return 0;
}
