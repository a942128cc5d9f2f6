/*
 * Files that have to survive besides those of updated. The power goes before each call, and each call fails once:
 * every file is the old one or the new one, the next run comes to the same end, and nothing is left behind.
 */
#pragma once

#include "crash/cut.h"

#define SCENARIO_FILES_MAX 4

typedef struct Scenario {
        const char *name;
        void (*prepare)(const char *root);
        int (*run)(const char *root);
        const char *files[SCENARIO_FILES_MAX + 1]; /* that it changes, ended by NULL */
        const char *
                journal; /* the one of them that says what is left to do: it may be a third; or NULL */
        bool varies; /* the new text is another one each time; it is valid when run() can go on from it */
} Scenario;

/* Runs each as a test of cmocka. The exit status. */
int scenarios_run(const Scenario *scenarios, size_t n);

/* For prepare(): a file, durable. */
void scenario_put(const char *root, const char *path, const char *text);
