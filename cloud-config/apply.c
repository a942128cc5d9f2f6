#include "cloud-config/apply.h"
#include "base/io.h"
#include "base/text.h"
#include "cloud-config/stage.h"

static int file_stage(Stage *stage, const char *root, const PlannedFile *file)
{
        if (!planned_file_changes(file))
                return 0;
        return stage_add(stage, root, file->path, file->new, file->new_mode, file->uid, file->gid);
}

/*
 * What is known while the files change: also what is given up, or a power cut before it is gone would make it
 * somebody else's. All borrowed.
 */
static State state_between(const State *old, const State *new)
{
        State state = *new;

        for (size_t id = 0; id < _KEY_MAX; id++)
                if (!new->set[id]) {
                        state.set[id] = old->set[id];
                        state.before[id] = old->before[id];
                }
        state.drop_in = new->drop_in || old->drop_in;
        state.masked = new->masked || old->masked;
        return state;
}

/* *text is what the file holds then; it is replaced when state is another one. */
static int state_stage(Stage *stage, const char *root, const PlannedFile *state_file,
                       const State *state, char **text)
{
        PlannedFile file = *state_file;
        _cleanup_free_ char *new = NULL;
        int r;

        r = state_render(state, &new);
        if (r < 0)
                return r;
        file.old = *text;
        file.new = new;
        r = file_stage(stage, root, &file);
        if (r < 0)
                return r;

        free(*text);
        *text = TAKE_PTR(new);
        return 0;
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

static int files_stage(Stage *stage, const char *root, const Plan *plan, const char **ret_path)
{
        int r = 0;

        for (size_t i = FILE_STATE + 1; r >= 0 && i < _FILE_MAX; i++) {
                *ret_path = plan->files[i].path;
                r = file_stage(stage, root, &plan->files[i]);
        }
        if (r < 0)
                return r;

        *ret_path = RUNTIME_UNIT_PATH;
        return mask_stage(stage, root, plan->mask);
}

int apply_files(const char *root, const Plan *plan, bool remember, char **ret_path)
{
        const PlannedFile *state_file = &plan->files[FILE_STATE];
        _cleanup_(stage_done) Stage stage = {};
        _cleanup_(state_done) State old = {};
        State new = plan->state, between;
        _cleanup_free_ char *text = NULL;
        const char *path = STATE_PATH;
        int r;

        if (remember)
                new.pending = plan->steps;
        r = state_read(root, &old);
        if (r >= 0)
                r = text_set(&text, state_file->old);
        if (r >= 0) {
                between = state_between(&old, &new);
                r = state_stage(&stage, root, state_file, &between, &text);
        }
        if (r >= 0)
                r = files_stage(&stage, root, plan, &path);
        if (r >= 0) {
                path = STATE_PATH;
                r = state_stage(&stage, root, state_file, &new, &text);
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
