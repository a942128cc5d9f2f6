#include "cloud-config/apply.h"
#include "base/io.h"
#include "cloud-config/stage.h"

static int file_stage(Stage *stage, const char *root, const PlannedFile *file)
{
        if (!planned_file_changes(file))
                return 0;
        return stage_add(stage, root, file->path, file->new, file->new_mode, file->uid, file->gid);
}

static int state_stage(Stage *stage, const char *root, const Plan *plan, bool remember)
{
        PlannedFile file = plan->files[FILE_STATE];
        _cleanup_free_ char *text = NULL;
        State state = plan->state;
        int r;

        if (remember && plan->steps) {
                state.pending = plan->steps;
                r = state_render(&state, &text);
                if (r < 0)
                        return r;
                file.new = text;
        }

        return file_stage(stage, root, &file);
}

static int mask_stage(Stage *stage, const char *root, MaskAction mask)
{
        switch (mask) {
        case MASK_KEEP:
                return 0;
        case MASK_SET:
                return stage_add_link(stage, root, RUNTIME_UNIT_PATH, "/dev/null");
        case MASK_REMOVE:
                return stage_add(stage, root, RUNTIME_UNIT_PATH, NULL, 0, 0, 0);
        }

        return -EINVAL;
}

int apply_files(const char *root, const Plan *plan, bool remember, char **ret_path)
{
        _cleanup_(stage_done) Stage stage = {};
        const char *path = STATE_PATH;
        int r;

        r = state_stage(&stage, root, plan, remember);
        for (size_t i = FILE_STATE + 1; r >= 0 && i < _FILE_MAX; i++) {
                path = plan->files[i].path;
                r = file_stage(&stage, root, &plan->files[i]);
        }
        if (r >= 0) {
                path = RUNTIME_UNIT_PATH;
                r = mask_stage(&stage, root, plan->mask);
        }
        if (r >= 0)
                r = stage_commit(&stage, &path);

        *ret_path = r < 0 ? strdup(path) : NULL; /* NULL at worst: the error is what counts */
        return r;
}

int apply_finish(const char *root, Plan *plan, unsigned pending)
{
        _cleanup_free_ char *text = NULL;
        int r;

        plan->state.pending = pending;
        r = state_render(&plan->state, &text);
        if (r < 0)
                return r;
        if (!text)
                return file_remove(root, STATE_PATH);

        return file_replace(root, STATE_PATH, text, strlen(text), 0600);
}
