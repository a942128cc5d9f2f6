/*
 * The small words of the house: ownership, checked arithmetic, attributes.
 * The only header that every file may include.
 */
#pragma once

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f)       __attribute__((cleanup(f)))
#define _must_check_       __attribute__((warn_unused_result))
#define _printf_(fmt, arg) __attribute__((format(printf, fmt, arg)))
#define _noreturn_         __attribute__((noreturn))
#define _unused_           __attribute__((unused))

#define ELEMENTSOF(array) (sizeof(array) / sizeof((array)[0]))
#define MIN_OF(a, b)      ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b)      ((a) > (b) ? (a) : (b))

/* The size of a decimal uint64_t or int64_t as text, with its NUL. */
#define DECIMAL_MAX 21

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* Hands a pointer over to a new owner: the old variable forgets it. */
#define TAKE_PTR(pointer)                                  \
        ({                                                 \
                __typeof__(pointer) *_source = &(pointer); \
                __typeof__(pointer) _taken = *_source;     \
                *_source = NULL;                           \
                _taken;                                    \
        })

/* Hands a file descriptor over to a new owner. */
#define TAKE_FD(fd)                    \
        ({                             \
                int *_source = &(fd);  \
                int _taken = *_source; \
                *_source = -1;         \
                _taken;                \
        })

/* Turns the convention of libc (-1 and errno) into ours (-errno). */
#define RET_ERRNO(call)                            \
        ({                                         \
                __typeof__(call) _result = (call); \
                _result < 0 ? -errno : _result;    \
        })

/* Defines the function that _cleanup_() wants, from a destructor that takes the pointer itself. */
#define DEFINE_CLEANUP(type, destroy)                 \
        static inline void destroy##_p(type *pointer) \
        {                                             \
                if (*pointer)                         \
                        (void)destroy(*pointer);      \
        }                                             \
        struct macros_semicolon_eater

#define _cleanup_free_  _cleanup_(free_p)
#define _cleanup_close_ _cleanup_(close_p)

static inline void free_p(void *pointer)
{
        free(*(void **)pointer);
}

/* Closes a file descriptor if it is one; errno is left alone. Returns -1, so that fd = close_fd(fd). */
static inline int close_fd(int fd)
{
        int saved = errno;

        if (fd >= 0)
                /* Nothing can be done about an error: the data was synced where it matters. */
                (void)close(fd);
        errno = saved;
        return -1;
}

static inline void close_p(int *fd)
{
        (void)close_fd(*fd);
}

static inline bool streq(const char *a, const char *b)
{
        return strcmp(a, b) == 0;
}

/* Equal texts, where NULL equals only NULL. */
static inline bool streq_null(const char *a, const char *b)
{
        return a && b ? streq(a, b) : a == b;
}

/* The rest of text behind prefix, or NULL when it does not begin with it. */
static inline const char *after_prefix(const char *text, const char *prefix)
{
        size_t n = strlen(prefix);

        return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

static inline bool is_empty(const char *text)
{
        return !text || !*text;
}

/* Checked arithmetic for every number that came from outside: true and *ret set, or false. */
static inline _must_check_ bool add_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
        return !__builtin_add_overflow(a, b, ret);
}

static inline _must_check_ bool mul_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
        return !__builtin_mul_overflow(a, b, ret);
}

static inline _must_check_ bool add_size(size_t a, size_t b, size_t *ret)
{
        return !__builtin_add_overflow(a, b, ret);
}

static inline _must_check_ bool mul_size(size_t a, size_t b, size_t *ret)
{
        return !__builtin_mul_overflow(a, b, ret);
}

static inline bool is_power_of_two(uint64_t n)
{
        return n != 0 && (n & (n - 1)) == 0;
}
