/* Kills its process at the n-th write or sync of a database's files. To be preloaded: see mortal.py.

   Counting begins with nth_arm(n, how); how is 0: killed before the call, 1: a write of which half was made, 2: after.
   nth_count() is how many calls there have been since. Only files are counted whose path holds $NTH_FILES. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { BEFORE, HALF, AFTER };

static volatile long left, how, count;

void nth_arm(long n, long when) { count = 0; how = when; left = n; }

long nth_count(void) { return count; }

static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

/* Whether this call is the one. */
static int is_due(int fd)
{
    static __thread char link[64], path[4096];
    if (!left) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    const char *files = getenv("NTH_FILES");
    if (!files || !strstr(path, files)) return 0;
    count++;
    return __sync_sub_and_fetch(&left, 1) == 0;
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define MORTAL_WRITE(name, parameters, whole, half) \
    ssize_t name parameters \
    { \
        REAL(name); \
        int due = is_due(fd); \
        if (due && how == BEFORE) die(); \
        if (due && how == HALF) { half; die(); } \
        ssize_t written = whole; \
        if (due) die(); \
        return written; \
    }

MORTAL_WRITE(write, (int fd, const void *data, size_t size), real(fd, data, size), real(fd, data, size / 2))
MORTAL_WRITE(pwrite, (int fd, const void *data, size_t size, off_t at), real(fd, data, size, at),
             real(fd, data, size / 2, at))
MORTAL_WRITE(pwrite64, (int fd, const void *data, size_t size, off64_t at), real(fd, data, size, at),
             real(fd, data, size / 2, at))

#define MORTAL_SYNC(name) \
    int name(int fd) \
    { \
        REAL(name); \
        int due = is_due(fd); \
        if (due && how != AFTER) die(); \
        int failed = real(fd); \
        if (due) die(); \
        return failed; \
    }

MORTAL_SYNC(fsync)
MORTAL_SYNC(fdatasync)
