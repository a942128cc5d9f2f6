#include "ctl.h"

static void on_done(_unused_ const LockResult *result, _unused_ void *userdata)
{
        /* Silence is how the classic tool says "done". */
}

static int holder_change(LockKind kind, const char *argument, const char *what)
{
        _cleanup_(ctl_done) Ctl ctl = {};
        _cleanup_free_ char *id = NULL;
        int r;

        r = ctl_open(&ctl);
        if (r >= 0)
                r = ctl_id(&ctl, argument, &id);
        if (r < 0)
                return r;

        return ctl_run(&ctl, &(LockRequest) { .kind = kind, .id = id, .on_done = on_done }, what);
}

int verb_lock(int argc, char **argv)
{
        return holder_change(LOCK_KIND_TAKE, argc > 1 ? argv[1] : NULL, "Error locking");
}

int verb_unlock(int argc, char **argv)
{
        return holder_change(LOCK_KIND_RELEASE, argc > 1 ? argv[1] : NULL, "Error unlocking");
}
