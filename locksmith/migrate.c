#include <stdio.h>

#include "base/text.h"
#include "etcd-wire.h"
#include "migrate.h"

void migrate_side_done(MigrateSide *side)
{
        semaphore_done(&side->semaphore);
        pause_done(&side->pause);
        free(side->pause_text);
        *side = (MigrateSide) { .name = side->name };
}

/* Who is in the list, but not in the semaphore; or NULL. */
static const char *missing_in(const TextList *list, const Semaphore *semaphore)
{
        for (size_t i = 0; i < list->n_items; i++)
                if (!semaphore_is_held_by(semaphore, list->items[i]))
                        return list->items[i];
        return NULL;
}

static bool same_holders(const Semaphore *a, const Semaphore *b)
{
        return !missing_in(&a->holders, b) && !missing_in(&b->holders, a);
}

static bool is_live(const MigrateSide *side)
{
        return side->exists && !side->moved;
}

/* Paused by a migration, and by nobody else since. */
static bool is_held_open(const MigrateSide *side)
{
        return is_live(side) && side->semaphore.max == 0 && side->pause_text
               && after_prefix(side->pause.reason, MIGRATE_REASON);
}

/* Is the destination a copy that this migration has made? */
static bool is_our_copy(const MigrateSide *from, const MigrateSide *to)
{
        return is_held_open(from) && is_held_open(to) && streq(from->pause_text, to->pause_text);
}

static int copy_with_max(const Semaphore *semaphore, int64_t max, Semaphore *ret)
{
        _cleanup_(semaphore_done) Semaphore copy = {};
        int r;

        r = semaphore_copy(semaphore, &copy);
        if (r >= 0)
                r = semaphore_set_max(&copy, max);
        if (r < 0)
                return r;

        *ret = copy;
        copy = (Semaphore) {};
        return 0;
}

/* Who holds it: of a copy of ours some may have left on either side, and nobody can have come. */
static int target_make(const MigrateSide *from, const MigrateSide *to, Semaphore *ret)
{
        _cleanup_(semaphore_done) Semaphore target = {};
        int r;

        r = copy_with_max(&from->semaphore, 0, &target);
        for (size_t i = 0; i < from->semaphore.holders.n_items && r >= 0; i++) {
                const char *id = from->semaphore.holders.items[i];

                if (is_our_copy(from, to) && !semaphore_is_held_by(&to->semaphore, id))
                        r = semaphore_release(&target, id);
        }
        if (r < 0)
                return r;

        *ret = target;
        target = (Semaphore) {};
        return 0;
}

static int refuse(const MigrateSide *to, const char *holder, char why[static MIGRATE_WHY_MAX])
{
        char shown[ETCD_WHY_MAX];

        foreign_text(holder, strlen(holder), shown, sizeof(shown));
        (void)snprintf(why, MIGRATE_WHY_MAX,
                       "%.100s holds the lock in %s, and not on the other side: wait until it is"
                       " back, or see locksmithctl --etcd-api %s unlock",
                       shown, to->name, to->name); /* fits */
        return -EBUSY;
}

/* The lock has left its source. */
static int next_behind(const MigrateSide *from, const MigrateSide *to, Semaphore *ret,
                       char why[static MIGRATE_WHY_MAX])
{
        bool open = is_held_open(to);
        int r;

        if (!is_live(to)) {
                (void)snprintf(why, MIGRATE_WHY_MAX,
                               "the lock of this group has left %s, but %s"
                               " has none",
                               from->name, to->name); /* fits */
                return -ENOENT;
        }
        r = copy_with_max(&to->semaphore, open ? to->pause.max : to->semaphore.max, ret);
        return r < 0 ? r : open ? MIGRATE_OPEN : MIGRATE_DONE;
}

static int next_of_copy(const MigrateSide *from, const MigrateSide *to, Semaphore *ret)
{
        _cleanup_(semaphore_done) Semaphore target = {};
        bool copied;
        int r;

        r = target_make(from, to, &target);
        if (r < 0)
                return r;
        copied = is_live(to) && to->semaphore.max == 0 && same_holders(&to->semaphore, &target)
                 && streq_null(from->pause_text, to->pause_text);
        if (copied)
                return copy_with_max(&from->semaphore, 0, ret) < 0 ? -ENOMEM : MIGRATE_MARK;

        *ret = target;
        target = (Semaphore) {};
        return MIGRATE_COPY;
}

int migrate_next(const MigrateSide *from, const MigrateSide *to, Semaphore *ret,
                 char why[static MIGRATE_WHY_MAX])
{
        const char *extra = is_live(to) && !is_our_copy(from, to)
                                    ? missing_in(&to->semaphore.holders, &from->semaphore)
                                    : NULL;
        int r;

        if (from->moved)
                return next_behind(from, to, ret, why);
        if (!from->exists) {
                (void)snprintf(why, MIGRATE_WHY_MAX, "%s has no lock of this group",
                               from->name); /* fits */
                return -ENOENT;
        }
        if (extra)
                return refuse(to, extra, why);
        if (from->semaphore.max == 0)
                return next_of_copy(from, to, ret);

        r = copy_with_max(&from->semaphore, 0, ret);
        return r < 0 ? r : MIGRATE_PAUSE;
}
