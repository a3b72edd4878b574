/* Has writes or syncs of files in a folder fail, as the file $FAULT says: "write" or "sync", an errno, and
   how the name of the files ends, or "*". Without such a file nothing fails. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), of_end = strlen(end);
    return length >= of_end && strcmp(text + length - of_end, end) == 0;
}

static int fault(const char *operation, int fd)
{
    static __thread int is_inside;
    const char *folder = getenv("FAULT_FOLDER"), *file = getenv("FAULT");
    char failing[16], ending[32], link[64], path[PATH_MAX];
    int error = 0;
    if (is_inside || !folder || !file)
        return 0;
    is_inside = 1;
    FILE *said = fopen(file, "r");
    if (said) {
        if (fscanf(said, "%15s %d %31s", failing, &error, ending) != 3 || strcmp(failing, operation) != 0)
            error = 0;
        fclose(said);
    }
    is_inside = 0;
    if (!error)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    /* What threads share in memory is no disk. */
    if (strncmp(path, folder, strlen(folder)) != 0 || ends_with(path, "-shm"))
        return 0;
    if (strcmp(ending, "*") != 0 && !ends_with(path, ending))
        return 0;
    return error;
}

#define FAIL_OR_PASS(operation, type, name, parameters, arguments)            \
    type name parameters                                                      \
    {                                                                         \
        static type(*real) parameters;                                        \
        if (!real)                                                            \
            real = (type(*) parameters)dlsym(RTLD_NEXT, #name);               \
        int error = fault(operation, fd);                                     \
        if (error) {                                                          \
            errno = error;                                                    \
            return -1;                                                        \
        }                                                                     \
        return real arguments;                                                \
    }

FAIL_OR_PASS("sync", int, fsync, (int fd), (fd))
FAIL_OR_PASS("sync", int, fdatasync, (int fd), (fd))
FAIL_OR_PASS("write", ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
FAIL_OR_PASS("write", ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
FAIL_OR_PASS("write", ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
FAIL_OR_PASS("write", int, ftruncate, (int fd, off_t size), (fd, size))
FAIL_OR_PASS("write", int, ftruncate64, (int fd, off64_t size), (fd, size))
