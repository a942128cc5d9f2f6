/*
 * One line on stderr at the place that gives up: "program: what failed: why".
 * On a terminal and in scripts plain text; under systemd with a priority prefix, which journald reads.
 */
#pragma once

#include <stdarg.h>
#include <syslog.h>

#include "base/macros.h"

/*
 * Names the program in front of every line; call it first in main(). The text is borrowed. Looks whether stderr
 * is the journal's (JOURNAL_STREAM, sd-journal's "device:inode"), and not only a child's of something under systemd.
 */
void log_open(const char *program);
const char *log_program(void);

/* Lines less urgent than this (LOG_INFO at first) are dropped; LOG_DEBUG shows everything. */
void log_set_max_level(int level);

#define LOG_LAST_MAX 1024

/* The last error or worse that was logged, cut to LOG_LAST_MAX; "" when there was none. */
const char *log_last_error(void);

/* One line, at a level of syslog(3). The macros below are for callers. */
void log_valist(int level, const char *format, va_list arguments) _printf_(2, 0);
void log_full(int level, const char *format, ...) _printf_(2, 3);

/*
 * Logs with %m standing for error (negative or positive errno). Returns -|error|, so that
 * "return log_error_errno(r, …)" is one statement.
 */
int log_full_errno(int level, int error, const char *format, ...) _printf_(3, 4);

#define log_debug(...)   log_full(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)    log_full(LOG_INFO, __VA_ARGS__)
#define log_notice(...)  log_full(LOG_NOTICE, __VA_ARGS__)
#define log_warning(...) log_full(LOG_WARNING, __VA_ARGS__)
#define log_error(...)   log_full(LOG_ERR, __VA_ARGS__)

#define log_warning_errno(error, ...) log_full_errno(LOG_WARNING, error, __VA_ARGS__)
#define log_error_errno(error, ...)   log_full_errno(LOG_ERR, error, __VA_ARGS__)

/* log_error() with a return value: for refusals that are no system error. */
#define log_error_return(error, ...)            \
        ({                                      \
                log_full(LOG_ERR, __VA_ARGS__); \
                (error);                        \
        })
