/*
 * What clients asked and reported: DIR/log.jsonl, one JSON object a line, one line for each check
 * and each event. A full log is renamed to log.jsonl.1, which replaces the one before: twice
 * CLIENT_LOG_SIZE_MAX is the most it takes.
 */
#pragma once

#include <jansson.h>

#include "base/time-util.h"
#include "serve-answer.h"

#define CLIENT_LOG_FILE     "log.jsonl"
#define CLIENT_LOG_SIZE_MAX (16 * MIB)

/* "2026-01-02T03:04:05Z". The buffer is returned. */
#define CLIENT_LOG_TIME_MAX 32
const char *client_log_time(usec_t time, char buffer[static CLIENT_LOG_TIME_MAX]);

/*
 * Appends what each app asked and reported, and what it was told; answers as for answer_format().
 */
int client_log_append(const char *directory, const Request *request, const Answer *answers,
                      usec_t now) _must_check_;

/* One line of the log for people, or NULL when it is none of ours; the caller frees it. */
char *client_log_describe(const char *line, size_t size);
