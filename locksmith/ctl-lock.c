#include "base/log.h"
#include "ctl.h"
#include "departure.h"
#include "lock-key.h"
#include "record.h"

static void on_done(_unused_ const LockResult *result, _unused_ void *userdata)
{
        /* Silence is how the classic tool says "done". */
}

/* Only of this host there is something to tell. */
static int record_make(const Ctl *ctl, const char *reason, char **ret)
{
        _cleanup_(record_done) Record record = {};
        int r;

        r = record_of_host(ctl->settings.root, reason, NULL, &record);
        return r < 0 ? r : record_format(&record, ret);
}

int ctl_change_holder(Ctl *ctl, LockKind kind, const char *id, const char *reason, const Deed *deed)
{
        _cleanup_(departure_sides_done) DepartureSides departure = {};
        _cleanup_free_ char *key = NULL, *record = NULL;
        bool takes = kind == LOCK_KIND_TAKE;
        int r;

        r = lock_key_holder(ctl->settings.group, id, &key);
        if (r >= 0)
                r = departure_sides(ctl->settings.group, id, &departure);
        if (r >= 0 && reason)
                r = record_make(ctl, reason, &record);
        if (r < 0)
                return log_error_errno(r, "\"%s\" can not be the id of a holder: %m", id);

        return ctl_run(ctl,
                       &(LockRequest) {
                               .kind = kind,
                               .id = id,
                               .record_key = key,
                               .record = record,
                               .sides = departure.sides,
                               .n_sides = takes ? 0 : ELEMENTSOF(departure.sides),
                               .edit = deed ? ctl_note_edit : NULL,
                               .edit_userdata = (void *)deed,
                               .on_done = on_done,
                       },
                       takes ? "Error locking" : "Error unlocking");
}

static int holder_change(LockKind kind, const char *argument)
{
        _cleanup_(ctl_done) Ctl ctl = {};
        _cleanup_(deed_done) Deed deed = {};
        _cleanup_free_ char *id = NULL;
        bool takes = kind == LOCK_KIND_TAKE;
        int r;

        r = ctl_open(&ctl);
        if (r >= 0)
                r = ctl_id(&ctl, argument, &id);
        if (r >= 0)
                r = ctl_deed(&ctl, &deed, "%s %s", takes ? "lock" : "unlock", id);
        if (r < 0)
                return r;

        return ctl_change_holder(&ctl, kind, id, takes && !argument ? "locksmithctl lock" : NULL,
                                 &deed);
}

int verb_lock(int argc, char **argv)
{
        return holder_change(LOCK_KIND_TAKE, argc > 1 ? argv[1] : NULL);
}

int verb_unlock(int argc, char **argv)
{
        return holder_change(LOCK_KIND_RELEASE, argc > 1 ? argv[1] : NULL);
}
