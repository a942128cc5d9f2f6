/*
 * What apply will do, decided before anything is touched: the files as they are and as they shall be, the mask of
 * locksmithd, the unit actions. A plan that can not be made changes nothing.
 */
#pragma once

#include <sys/stat.h>

#include "base/conf.h"
#include "base/text.h"
#include "cloud-config/settings.h"
#include "cloud-config/state.h"

#define RUNTIME_UNIT_PATH  "/run/systemd/system/locksmithd.service"
#define ADMIN_UNIT_PATH    "/etc/systemd/system/locksmithd.service"
#define LOCKSMITHD_UNIT    "locksmithd.service"
#define UPDATED_UNIT       "updated.service"
#define UPDATE_ENGINE_UNIT "update-engine.service"

typedef enum PlannedFileId {
        FILE_STATE, /* first: it must know of what follows, should the power fail in between */
        FILE_UPDATE_CONF,
        FILE_DROP_IN,
        _FILE_MAX,
} PlannedFileId;

typedef struct PlannedFile {
        const char *path;
        char *old, *new; /* NULL: no such file */
        mode_t old_mode, new_mode;
        uid_t uid;
        gid_t gid;
        bool secret; /* its text is not shown */
} PlannedFile;

/* The symbolic link that keeps systemd from starting locksmithd. */
typedef enum MaskAction {
        MASK_KEEP,
        MASK_SET,
        MASK_REMOVE,
} MaskAction;

typedef struct Plan {
        PlannedFile files[_FILE_MAX];
        MaskAction mask;
        unsigned steps;    /* UnitSteps */
        State state;       /* as it will be when everything is done */
        TextList warnings; /* one line each, for the operator */
} Plan;

/*
 * Looks at the host below root and decides. Returns 0, or -errno with *ret_why (owned, one line, names the file).
 */
int plan_make(const char *root, const Settings *settings, Plan *ret, char **ret_why) _must_check_;

/* Will the file be another one than it is, in text or mode? */
bool planned_file_changes(const PlannedFile *file);

/* True when nothing at all has to be done. */
bool plan_is_empty(const Plan *plan);

void plan_done(Plan *plan);
