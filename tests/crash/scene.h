/*
 * What both crash tests begin with: a directory in memory, releases, a mode; and their TAP.
 */
#pragma once

#include "crash/explore.h"

/* Arguments of the test: the payload tool. SLUICE_TEST_FULL=1 in the environment: everything, else a sample. */
void scene_begin(int argc, char **argv);
void scene_end(void);

const char *scene_root(void);
bool scene_is_full(void);

/* One case: ok when violation is NULL. */
void scene_case(const char *name, const char *violation);

/* Ends the plan. The exit status of the test. */
int scene_finish(void);

/* The content of the disk below the root as it is now. */
void scene_disk(World *world);

/* Tells the recorder which files of the world are which, after it was put below the root. */
void scene_know(const World *world);

/* Boots the host; what the boot loader writes is recorded. */
const Release *scene_boot(void);
